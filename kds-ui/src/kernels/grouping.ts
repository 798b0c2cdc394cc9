// Alike orders under one header: at least three unstarted tickets placed within 120 s whose items are alike pairwise.

export type Alike = {
  key: string
  placedAt: number
  started: boolean
  station: string
  lines: readonly { name: string; variant: string; quantity: number }[]
}

export type Total = { name: string; variant: string; quantity: number }
export type Group = { key: string; members: string[]; totals: Total[] }

export const ALIKE_MIN = 0.7
export const GROUP_MIN = 3
export const WINDOW_MS = 120_000

type Bag = ReadonlyMap<string, number>

/** A ticket's bag is counted once for as long as the ticket is the same object. */
const bags = new WeakMap<Alike, Bag>()

function bagOf(ticket: Alike): Bag {
  const known = bags.get(ticket)
  if (known) return known
  const bag = new Map<string, number>()
  for (const line of ticket.lines) {
    const item = `${line.name}\u0000${line.variant}`
    bag.set(item, (bag.get(item) ?? 0) + line.quantity)
  }
  bags.set(ticket, bag)
  return bag
}

/** Multiset Jaccard: what both have over what either has, counted with repeats. Two empty bags are not alike. */
export function jaccard(a: Bag, b: Bag): number {
  let both = 0
  let either = 0
  for (const [item, count] of a) {
    const other = b.get(item) ?? 0
    both += Math.min(count, other)
    either += Math.max(count, other)
  }
  for (const [item, count] of b) if (!a.has(item)) either += count
  return either === 0 ? 0 : both / either
}

/** Greedy in the given order: each ticket joins the first group of its station in which it is alike with every member. */
export function group(tickets: readonly Alike[], split: ReadonlySet<string>): Group[] {
  type Open = { station: string; first: number; last: number; members: { ticket: Alike; bag: Bag }[] }
  const open: Open[] = []
  for (const ticket of tickets) {
    if (ticket.started || ticket.lines.length === 0 || split.has(ticket.key)) continue
    const bag = bagOf(ticket)
    const home = open.find(
      (candidate) =>
        candidate.station === ticket.station &&
        Math.max(candidate.last, ticket.placedAt) - Math.min(candidate.first, ticket.placedAt) <= WINDOW_MS &&
        candidate.members.every((member) => jaccard(member.bag, bag) >= ALIKE_MIN),
    )
    if (home) {
      home.first = Math.min(home.first, ticket.placedAt)
      home.last = Math.max(home.last, ticket.placedAt)
      home.members.push({ ticket, bag })
    } else {
      open.push({ station: ticket.station, first: ticket.placedAt, last: ticket.placedAt, members: [{ ticket, bag }] })
    }
  }
  return open
    .filter((candidate) => candidate.members.length >= GROUP_MIN)
    .map(({ members }) => ({
      key: `group ${members[0]?.ticket.key}`,
      members: members.map((member) => member.ticket.key),
      totals: totalsOf(members.flatMap((member) => member.ticket.lines)),
    }))
}

function totalsOf(lines: Alike['lines']): Total[] {
  const totals = new Map<string, Total>()
  for (const line of lines) {
    const item = `${line.name}\u0000${line.variant}`
    const total = totals.get(item) ?? { name: line.name, variant: line.variant, quantity: 0 }
    totals.set(item, { ...total, quantity: total.quantity + line.quantity })
  }
  return [...totals.values()].sort((a, b) => b.quantity - a.quantity || a.name.localeCompare(b.name))
}
