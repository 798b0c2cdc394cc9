// What the stories show: typed by the contract, made without chance, so that two pictures of one story are alike.
import type { MenuConflictJson, OnlineJson, OrderLogEntryJson, OrderLogJson } from '../../generated/api'
import type { AvailabilityJson, BoardOrderJson, GroupJson, ItemJson, LineChangeJson, MenuJson, OrderJson, StaffJson, TicketJson, TicketLineJson } from '../../generated/api'
import { seeded } from '../../kernels/picture'

/** The stories' clock stands still. */
export const NOW = Date.UTC(2026, 10, 20, 19, 42, 30)

const uuid = (text: string) => {
  const random = seeded(text)
  const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16)).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
}

const size = (item: string, name: string, price_minor: number) => ({ id: uuid(`${item} ${name}`), name, price_minor })

function item(category: string, name: string, prices: [string, number][], more: Partial<ItemJson> = {}): ItemJson {
  return {
    id: uuid(name),
    category: uuid(category),
    name,
    description: '',
    kitchen_name: name,
    station: 'pizza',
    prep_s: 480,
    variants: prices.map(([variant, price]) => size(name, variant, price)),
    groups: [],
    tags: [],
    allergens: [],
    quantity_min: 1,
    ...more,
  }
}

const option = (group: string, name: string, price_minor: number, removal = false) => ({ id: uuid(`${group} ${name}`), name, price_minor, removal })

export const CRUST: GroupJson = {
  id: uuid('Crust'),
  name: 'Crust',
  min: 1,
  max: 1,
  options: [option('Crust', 'Thin', 0), option('Crust', 'Deep pan', 150), option('Crust', 'Gluten-free', 250)],
}
export const EXTRAS: GroupJson = {
  id: uuid('Extras'),
  name: 'Extras',
  min: 0,
  max: 4,
  options: [
    option('Extras', 'Extra basil', 80),
    option('Extras', 'Buffalo mozzarella', 240),
    option('Extras', 'Chilli oil', 50),
    option('Extras', 'Anchovies', 160),
    option('Extras', 'Olives', 120),
  ],
}
export const WITHOUT: GroupJson = {
  id: uuid('Without'),
  name: 'Leave out',
  min: 0,
  max: 3,
  options: [option('Without', 'no cheese', 0, true), option('Without', 'no onion', 0, true), option('Without', 'no garlic', 0, true)],
}
export const SIDES: GroupJson = {
  id: uuid('Sides'),
  name: 'Two sides',
  min: 1,
  max: 2,
  options: [option('Sides', 'Green salad', 0), option('Sides', 'Fries', 0), option('Sides', 'Garlic bread', 90)],
}

const SML: [string, number][] = [
  ['S', 1225],
  ['M', 1625],
  ['L', 2025],
]
const pizzaGroups = [CRUST.id, EXTRAS.id, WITHOUT.id]

export const MENU: MenuJson = {
  version: 'story-1',
  currency: 'USD',
  categories: ['Pizza', 'Chicken', 'Salads', 'Sides', 'Desserts', 'Drinks'].map((name) => ({ id: uuid(name), name })),
  groups: [CRUST, EXTRAS, WITHOUT, SIDES],
  stations: [
    { id: 'pizza', name: 'Pizza' },
    { id: 'fry', name: 'Fry' },
    { id: 'salad', name: 'Salad' },
    { id: 'drinks', name: 'Drinks' },
  ],
  items: [
    item('Pizza', 'Margherita', SML, {
      groups: pizzaGroups,
      tags: ['vegetarian'],
      description: 'Tomato, mozzarella, basil from the window sill.',
      allergens: [
        { name: 'gluten', state: 'contains' },
        { name: 'milk', state: 'contains' },
        { name: 'nuts', state: 'may_contain' },
        { name: 'soy', state: 'unknown' },
      ],
    }),
    item('Pizza', 'Hawaiian', SML, { groups: pizzaGroups, description: 'Ham and pineapple. We do not judge.' }),
    item('Pizza', 'Pepperoni', SML, { groups: pizzaGroups }),
    item('Pizza', 'Four Cheese', SML, { groups: pizzaGroups, tags: ['vegetarian'] }),
    item('Pizza', 'Prosciutto and Arugula', SML, { groups: pizzaGroups }),
    item('Pizza', 'Spinach Supreme', SML, { groups: pizzaGroups }),
    item('Pizza', 'The Big Meat', [['', 2195]], { groups: pizzaGroups }),
    item('Pizza', 'Mediterranean with Roasted Peppers, Artichokes and Kalamata Olives', SML, { groups: pizzaGroups }),
    item('Chicken', 'Barbecue Chicken', SML, { groups: [SIDES.id], station: 'fry' }),
    item('Chicken', 'Chicken Wings', [['6', 790], ['12', 1390]], { groups: [SIDES.id], station: 'fry' }),
    item('Salads', 'Caesar Salad', [['', 950]], { station: 'salad', prep_s: 240 }),
    item('Salads', 'Greek Salad', [['', 990]], { station: 'salad', prep_s: 240 }),
    item('Sides', 'Fries', [['', 390]], { station: 'fry', prep_s: 300 }),
    item('Sides', 'Garlic Bread', [['', 450]], { station: 'fry', prep_s: 300 }),
    item('Sides', 'Puff-Puff', [['', 499]], { station: 'fry', quantity_min: 3 }),
    item('Desserts', 'Chocolate Brownie', [['', 550]], { station: 'salad' }),
    item('Drinks', 'Lemonade', [['', 320]], { station: 'drinks', prep_s: 60 }),
    item('Drinks', 'Iced Tea', [['', 320]], { station: 'drinks', prep_s: 60 }),
  ],
}

export const BIG_MENU: MenuJson = {
  ...MENU,
  categories: Array.from({ length: 26 }, (_, index) => ({ id: uuid(`c${index}`), name: index % 5 === 0 ? `Chef’s Specialities of the House ${index + 1}` : `Category ${index + 1}` })),
  items: Array.from({ length: 400 }, (_, index) => ({ ...item('Pizza', `Dish ${index + 1}`, SML), category: uuid(`c${index % 3}`) })),
}

const names: Record<string, string> = {
  Margherita: 'مارغريتا',
  Hawaiian: 'هاواي',
  Pepperoni: 'بيبروني',
  'Four Cheese': 'أربع أجبان',
  Pizza: 'بيتزا',
  Chicken: 'دجاج',
  Salads: 'سلطات',
  Sides: 'أطباق جانبية',
  Desserts: 'حلويات',
  Drinks: 'مشروبات',
  Crust: 'العجينة',
  Extras: 'إضافات',
  'Leave out': 'بدون',
  Thin: 'رقيقة',
  'Deep pan': 'سميكة',
  'Gluten-free': 'خالية من الغلوتين',
}
const arabic = (name: string) => names[name] ?? name

export const ARABIC_MENU: MenuJson = {
  ...MENU,
  currency: 'AED',
  categories: MENU.categories.map((category) => ({ ...category, name: arabic(category.name) })),
  groups: MENU.groups.map((group) => ({ ...group, name: arabic(group.name), options: group.options.map((each) => ({ ...each, name: arabic(each.name) })) })),
  items: MENU.items.map((each) => ({ ...each, name: arabic(each.name), kitchen_name: arabic(each.name) })),
}

export const OPEN_ONLINE: OnlineJson = { intake: { paused_until: null, busy_minutes: 0, busy_until: null }, waiting: [], requests: [] }
export const PAUSED_ONLINE: OnlineJson = {
  intake: { paused_until: NOW + 23 * 60_000, busy_minutes: 20, busy_until: NOW + 41 * 60_000 },
  waiting: [
    { id: 'w1', placed_at: NOW - 250_000, fulfilment: 'delivery', items: ['2 Margherita', '1 Four Cheese', '1 Cola'], note: 'Ring twice, the bell is quiet', total_minor: 4_150, currency: 'USD', late_minutes: null },
    { id: 'w2', placed_at: NOW - 40_000, fulfilment: 'takeaway', items: ['1 Hawaiian'], note: null, total_minor: 1_150, currency: 'USD', late_minutes: null },
  ],
  requests: [
    {
      order: 'o7',
      number: 'A007',
      amendment: { id: 'q1', field: 'instructions', old: 'Extra basil', new: 'No basil at all please', old_at: null, new_at: null, distance_m: null, asked_at: NOW - 65_000, state: 'asked', why: null },
    },
  ],
}

export const SOME_SOLD_OUT: AvailabilityJson = {
  unavailable: [
    { item: uuid('Pepperoni'), variant: null, option: null, reason: 'eighty_six', until: null },
    { item: uuid('Hawaiian'), variant: uuid('Hawaiian L'), option: null, reason: 'sold_out', until: null },
    { item: null, variant: null, option: uuid('Extras Anchovies'), reason: 'sold_out', until: null },
  ],
}

export const PEOPLE: StaffJson[] = [
  { id: uuid('Ana'), name: 'Ana Belén', role: 'kitchen' },
  { id: uuid('Kofi'), name: 'Kofi', role: 'staff' },
  { id: uuid('Mei'), name: 'Mei-Ling', role: 'manager' },
]

export function itemId(name: string): string {
  return uuid(name)
}
export function variantId(name: string, variant: string): string {
  return uuid(`${name} ${variant}`)
}
export function optionId(group: string, name: string): string {
  return uuid(`${group} ${name}`)
}

// ---- the board

export function line(id: string, quantity: number, name: string, variant = '', more: Partial<TicketLineJson> = {}): TicketLineJson {
  return { id: uuid(`line ${id} ${name} ${variant}`), name, variant_name: variant, quantity, choices: [], note: null, done_at: null, change: null, ...more }
}

export function ticket(lines: TicketLineJson[], more: Partial<TicketJson> = {}): TicketJson {
  return {
    station: 'pizza',
    course: 1,
    epoch: 0,
    epoch_kind: 'first',
    phase: 'queued',
    lines,
    estimate_s: 480,
    queued_at: NOW,
    started_at: null,
    ready_at: null,
    acknowledged: true,
    ...more,
  }
}

export function order(number: number, agoS: number, tickets: TicketJson[], more: Partial<BoardOrderJson> = {}): BoardOrderJson {
  const placed = NOW - agoS * 1000
  return {
    id: uuid(`order ${number}`),
    number: `A${String(number).padStart(3, '0')}`,
    also: [],
    status: 'ORDER_CONFIRMED',
    channel: 'kiosk',
    fulfilment: 'dine_in',
    table: null,
    note: null,
    ready_not_before: null,
    amendments: [],
    placed_at: placed,
    start_at: placed,
    tickets: tickets.map((each) => ({ ...each, queued_at: placed })),
    ...more,
  }
}

const change = (value: LineChangeJson) => ({ change: value })

/** What the customer wanted otherwise, old against new; and one for later. */
export function wished(): BoardOrderJson[] {
  const granted = { id: 'g', field: 'instructions' as const, old: 'Extra basil', new: 'No basil', old_at: null, new_at: null, distance_m: null, asked_at: NOW - 60_000, state: 'granted' as const, why: null }
  const [first, second, ...rest] = oneOfEach()
  return [...(first ? [{ ...first, note: 'No basil', amendments: [granted] }] : []), ...(second ? [{ ...second, ready_not_before: NOW + 40 * 60_000 }] : []), ...rest]
}

/** The ticket of the design's drawing, and its kin: one of each state. */
export function oneOfEach(): BoardOrderJson[] {
  const anatomy = order(
    42,
    372,
    [
      ticket(
        [
          line('42', 2, 'Margherita', 'L', {
            choices: [
              { name: 'extra basil', count: 1, removal: false },
              { name: 'no cheese', count: 1, removal: true },
            ],
          }),
          line('42', 1, 'Hawaiian', 'S', { done_at: NOW - 242_000 }),
        ],
        { phase: 'started', started_at: NOW - 300_000, estimate_s: 600 },
      ),
      ticket([line('42', 2, 'Fries')], { station: 'fry' }),
      ticket([line('42', 1, 'Caesar Salad')], { station: 'salad', phase: 'ready', ready_at: NOW - 60_000 }),
    ],
    { table: '7', note: 'Nut allergy' },
  )
  const withNote = { ...anatomy, tickets: anatomy.tickets.map((each, index) => (index === 0 ? { ...each, lines: each.lines.map((entry, at) => (at === 0 ? { ...entry, note: 'cut in eight' } : entry)) } : each)) }
  return [
    withNote,
    order(43, 500, [ticket([line('43', 1, 'Pepperoni', 'M'), line('43', 1, 'Four Cheese', 'S')], { estimate_s: 480 })], { fulfilment: 'takeaway', channel: 'counter' }),
    order(38, 1100, [ticket([line('38', 3, 'Margherita', 'S'), line('38', 1, 'The Big Meat')], { estimate_s: 480, phase: 'started', started_at: NOW - 500_000 })], {
      fulfilment: 'delivery',
      channel: 'cloud',
    }),
    order(
      44,
      200,
      [
        ticket([
          line('44', 3, 'Margherita', 'L', change({ type: 'changed', was_quantity: 2, was_name: 'Margherita', seen: false })),
          line('44', 1, 'Pepperoni', 'M', change({ type: 'changed', was_quantity: 1, was_name: 'Hawaiian', seen: false })),
          line('44', 1, 'Four Cheese', 'S', change({ type: 'added', seen: false })),
          line('44', 1, 'Spinach Supreme', 'L', change({ type: 'voided', why: 'guest changed their mind', seen: false })),
          line('44', 1, 'The Big Meat', '', change({ type: 'voided', why: 'sold out', seen: true })),
        ]),
      ],
      { table: '12' },
    ),
    order(45, 90, [ticket([line('45', 1, 'Prosciutto and Arugula', 'M')], { epoch: 1, epoch_kind: 'cook_again' })], { channel: 'phone', fulfilment: 'takeaway' }),
    order(46, 80, [ticket([line('46', 1, 'Hawaiian', 'S', { done_at: NOW - 20_000 })], { epoch: 1, epoch_kind: 'look_again', phase: 'started', started_at: NOW - 50_000 })]),
  ]
}

export function longNames(): BoardOrderJson[] {
  const long = 'Mediterranean with Roasted Peppers, Artichokes and Kalamata Olives'
  return [
    order(101, 240, [ticket([line('101', 12, long, 'Extra large family size', { choices: [{ name: 'buffalo mozzarella from the farm down the road', count: 3, removal: false }, { name: 'no sun-dried tomatoes whatsoever', count: 1, removal: true }], note: 'please cut it in sixteen pieces and put the olives on one half only, my son does not eat them' }), line('101', 1, 'Donaudampfschifffahrtsgesellschaftspizza', 'M')])], {
      table: 'Terrace 14 by the fountain',
      note: 'Allergic to sesame, severe allergy to tree nuts; please use a clean board',
    }),
    order(102, 220, [ticket(Array.from({ length: 24 }, (_, index) => line(`102 ${index}`, (index % 4) + 1, ['Margherita', 'Hawaiian', 'Pepperoni', 'Four Cheese'][index % 4] ?? '', ['S', 'M', 'L'][index % 3])))], { note: 'Birthday party. Allergy: eggs.' }),
    order(103, 100, [ticket([line('103', 1, 'Margherita', 'M')])]),
  ]
}

const BOARD_ITEMS: [string, string, string][] = [
  ['Margherita', 'S', 'pizza'],
  ['Margherita', 'L', 'pizza'],
  ['Hawaiian', 'M', 'pizza'],
  ['Pepperoni', 'L', 'pizza'],
  ['Four Cheese', 'M', 'pizza'],
  ['Spinach Supreme', 'S', 'pizza'],
  ['Prosciutto and Arugula', 'M', 'pizza'],
  ['Fries', '', 'fry'],
  ['Chicken Wings', '12', 'fry'],
  ['Caesar Salad', '', 'salad'],
  ['Lemonade', '', 'drinks'],
]

/** So many open orders, the oldest first. */
export function many(count: number, spacingS = 9): BoardOrderJson[] {
  return Array.from({ length: count }, (_, index) => {
    const random = seeded(`many ${index}`)
    const byStation = new Map<string, TicketLineJson[]>()
    const lines = 1 + Math.floor(random() * 4)
    for (let at = 0; at < lines; at += 1) {
      const [name, variant, station] = BOARD_ITEMS[Math.floor(random() * BOARD_ITEMS.length)] ?? ['Margherita', 'S', 'pizza']
      const choices = random() > 0.75 ? [{ name: random() > 0.5 ? 'no onion' : 'no cheese', count: 1, removal: true }] : []
      byStation.set(station, [...(byStation.get(station) ?? []), line(`${index} ${at}`, 1 + Math.floor(random() * 2), name, variant, { choices })])
    }
    const fulfilment = (['dine_in', 'takeaway', 'delivery'] as const)[Math.floor(random() * 3)] ?? 'dine_in'
    return order(
      index + 1,
      (count - index) * spacingS,
      [...byStation].map(([station, own]) => ticket(own, { station, estimate_s: station === 'pizza' ? 480 : 240, phase: random() > 0.7 ? 'started' : 'queued', started_at: NOW - 60_000 })),
      { fulfilment, table: fulfilment === 'dine_in' ? String(1 + (index % 20)) : null },
    )
  })
}

export function alike(): BoardOrderJson[] {
  return [
    order(50, 130, [ticket([line('50', 1, 'Pepperoni', 'L')])]),
    ...[51, 52, 53, 54].map((number, index) => order(number, 110 - index * 20, [ticket([line(String(number), 2, 'Margherita', 'L'), line(String(number), 1, 'Hawaiian', 'S')])], { table: String(number - 40) })),
    order(55, 20, [ticket([line('55', 1, 'Four Cheese', 'M')])]),
  ]
}

export function bumped(): BoardOrderJson[] {
  return [
    ...many(6, 40).map((each) => ({ ...each, tickets: each.tickets.filter(({ station }) => station === 'pizza') })),
    ...Array.from({ length: 12 }, (_, index) =>
      order(70 + index, 900, [ticket([line(`b${index}`, 1, 'Margherita', 'M')], { phase: 'ready', ready_at: NOW - index * 47_000 })], {
        status: 'READY_FOR_PICKUP',
        fulfilment: index % 2 ? 'takeaway' : 'dine_in',
        table: index % 2 ? null : String(index + 3),
      }),
    ),
  ]
}

export function placed(number: string, due_minor: number, currency = 'USD'): OrderJson {
  return {
    id: uuid('placed'),
    number,
    also: [],
    status: 'ORDER_CONFIRMED',
    history: [],
    channel: 'kiosk',
    fulfilment: 'dine_in',
    table: null,
    note: null,
    ready_not_before: null,
    amendments: [],
    placed_at: NOW,
    lines: [
      ['Margherita', 'L', 2, 4660],
      ['Lemonade', '', 3, 960],
    ].map(([name, variant_name, quantity, total_minor]) => ({
      id: uuid(`placed ${name}`),
      item: '',
      variant: '',
      name: String(name),
      variant_name: String(variant_name),
      quantity: Number(quantity),
      choices: [],
      note: null,
      unit_minor: Number(total_minor) / Number(quantity),
      total_minor: Number(total_minor),
      replaces: null,
      voided: null,
    })),
    total_minor: due_minor,
    tax_minor: 0,
    paid_minor: 0,
    due_minor,
    currency,
    tickets: [],
    owner: '',
    term: 0,
    safe_on: 1,
  }
}

/** Two waiters at two nodes had one check. */
const wrote = (minutes: number, node: string, name: string | null, what: string, more: Partial<OrderLogEntryJson> = {}): OrderLogEntryJson => ({ at: NOW - minutes * 60_000, node, who: name === null ? 'system' : 'staff 91bc', name, what, concurrent: false, lost: false, ...more })
export const MERGED_LOG: OrderLogJson = {
  merged: true,
  entries: [
    wrote(12, 'A', 'Front kiosk', 'placed 2 Margherita, Hawaiian'),
    wrote(12, 'A', null, 'sent it to the kitchen as A042'),
    wrote(6, 'A', 'Mei-Ling', 'added 2 Lemonade', { concurrent: true }),
    wrote(6, 'B', 'Bartholomäus', 'voided Hawaiian: guest changed their mind', { concurrent: true }),
    wrote(5, 'A', 'Mei-Ling', 'voided Hawaiian again, which changes nothing: the guest does not want it any more and said so twice', { concurrent: true, lost: true }),
  ],
}
export const LONG_LOG: OrderLogJson = { merged: true, entries: [...MERGED_LOG.entries, ...Array.from({ length: 30 }, (_, at) => wrote(4, at % 2 === 0 ? 'A' : 'B', 'Mei-Ling', `added ${at + 1} Mediterranean with Roasted Peppers, Artichokes and Kalamata Olives`))] }

/** Counter and bar changed the menu without hearing of each other. */
export const MENU_CONFLICTS: MenuConflictJson[] = [
  {
    item: 'i1',
    name: 'Margherita',
    field: 'variants',
    values: [
      { choice: 'c1', text: '', prices: [{ name: 'S', price_minor: 950 }, { name: 'L', price_minor: 1_450 }], node: 'B', at: NOW - 240_000 },
      { choice: 'c2', text: '', prices: [{ name: 'S', price_minor: 990 }, { name: 'L', price_minor: 1_390 }], node: 'A', at: NOW - 300_000 },
    ],
  },
  {
    item: 'i2',
    name: 'Hawaiian',
    field: 'description',
    values: [
      { choice: 'c3', text: 'Mediterranean with Roasted Peppers, Artichokes and Kalamata Olives, and pineapple for those who insist', prices: [], node: 'A', at: NOW - 100_000 },
      { choice: 'c4', text: '', prices: [], node: '', at: NOW - 110_000 },
    ],
  },
]

/** Nobody has paused anything: the kitchen has too much to do for one of them. */
export const LATE_ONLINE: OnlineJson = { ...OPEN_ONLINE, waiting: PAUSED_ONLINE.waiting.slice(1).map((order) => ({ ...order, late_minutes: 12 })) }
