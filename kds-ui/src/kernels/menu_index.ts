// The menu, ready for look-ups, and what of it cannot be ordered now.
import type { AvailabilityJson, GroupJson, ItemJson, MenuJson, OptionJson, VariantJson } from '../generated/api'

export type MenuIndex = {
  menu: MenuJson
  items: ReadonlyMap<string, ItemJson>
  groups: ReadonlyMap<string, GroupJson>
  /** Items of each category, in the menu's order; categories without items are left out of `categories`. */
  byCategory: ReadonlyMap<string, readonly ItemJson[]>
  categories: MenuJson['categories']
}

export function indexMenu(menu: MenuJson): MenuIndex {
  const byCategory = new Map<string, ItemJson[]>()
  for (const item of menu.items) {
    const list = byCategory.get(item.category)
    if (list) list.push(item)
    else byCategory.set(item.category, [item])
  }
  return {
    menu,
    items: new Map(menu.items.map((item) => [item.id, item])),
    groups: new Map(menu.groups.map((group) => [group.id, group])),
    byCategory,
    categories: menu.categories.filter((category) => byCategory.has(category.id)),
  }
}

export function groupsOf(item: ItemJson, index: MenuIndex): GroupJson[] {
  return item.groups.map((id) => index.groups.get(id)).filter((group) => group !== undefined)
}

export type SoldOut = {
  items: ReadonlySet<string>
  variants: ReadonlySet<string>
  options: ReadonlySet<string>
  /** Of these, what staff took off by hand and may put back. */
  eightySixed: ReadonlySet<string>
  until: ReadonlyMap<string, number>
}

export const NOTHING_SOLD_OUT: SoldOut = { items: new Set(), variants: new Set(), options: new Set(), eightySixed: new Set(), until: new Map() }

export function soldOut(availability: AvailabilityJson): SoldOut {
  const items = new Set<string>()
  const variants = new Set<string>()
  const options = new Set<string>()
  const eightySixed = new Set<string>()
  const until = new Map<string, number>()
  for (const entry of availability.unavailable) {
    // The narrowest id that is named is what is meant.
    const [set, id] = entry.option ? [options, entry.option] : entry.variant ? [variants, entry.variant] : [items, entry.item]
    if (!id) continue
    set.add(id)
    if (entry.reason === 'eighty_six') eightySixed.add(id)
    if (entry.until != null) until.set(id, entry.until)
  }
  return { items, variants, options, eightySixed, until }
}

export function variantAvailable(item: ItemJson, variant: VariantJson, out: SoldOut): boolean {
  return !out.items.has(item.id) && !out.variants.has(variant.id)
}

export function optionAvailable(option: OptionJson, out: SoldOut): boolean {
  return !out.options.has(option.id)
}

/** An item can be ordered when it, one of its variants, and something in each required group can be. */
export function itemAvailable(item: ItemJson, index: MenuIndex, out: SoldOut): boolean {
  if (!item.variants.some((variant) => variantAvailable(item, variant, out))) return false
  return groupsOf(item, index).every((group) => group.min === 0 || group.options.some((option) => optionAvailable(option, out)))
}

/** The lowest price, and whether another variant costs more. */
export function fromPrice(item: ItemJson): { minor: number; from: boolean } {
  const prices = item.variants.map((variant) => variant.price_minor)
  const minor = Math.min(...prices)
  return { minor, from: prices.some((price) => price !== minor) }
}
