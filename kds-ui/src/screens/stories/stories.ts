// Every view in every state, by name. The screenshots, the accessibility check and the eye all walk this list.
import type { ComponentProps } from 'svelte'
import { fromOrders } from './boards'
import * as f from './fixtures'
import type { BoardOrderJson } from '../../generated/api'
import { indexMenu, NOTHING_SOLD_OUT, soldOut } from '../../kernels/menu_index'
import type { Words } from '../../words'
import { ar, en } from '../../words'
import HomeView from '../home/View.svelte'
import type { Cart, Draft, Kiosk } from '../kiosk/model'
import { newDraft, orderOf } from '../kiosk/model'
import type { KioskProps } from '../kiosk/View.svelte'
import KioskView from '../kiosk/View.svelte'
import type { KitchenProps } from '../kitchen/View.svelte'
import KitchenView from '../kitchen/View.svelte'
import PairView from '../pair/View.svelte'
import BannerStory from './BannerStory.svelte'
import ChipStory from './ChipStory.svelte'
import DrawStory from './DrawStory.svelte'
import GroupStory from './GroupStory.svelte'
import MergeLogStory from './MergeLogStory.svelte'
import IconStory from './IconStory.svelte'
import PictureStory from './PictureStory.svelte'
import PinStory from './PinStory.svelte'
import { customerStories } from './customer_stories'
import { ownerStories } from './owner_stories'
import { riderStories } from './rider_stories'
import StepperStory from './StepperStory.svelte'
import type { Story } from './story'
import { nothing, story } from './story'
import TicketStory from './TicketStory.svelte'

// ---- kitchen

function kitchen(orders: BoardOrderJson[], w: Words, more: Partial<KitchenProps> = {}): KitchenProps {
  const station = more.station ?? 'pizza'
  const { entries, lists, late } = fromOrders(orders, station, w)
  return {
    w,
    now: f.NOW,
    station,
    stations: f.MENU.stations,
    entries,
    lists,
    late,
    page: 0,
    banner: null,
    link: 'live',
    state: 'shown',
    sound: 'on',
    allDayOpen: false,
    startStep: false,
    highlight: null,
    toasts: [],
    refused: [],
    panel: { open: 'none' },
    menu: indexMenu(f.MENU),
    soldOut: NOTHING_SOLD_OUT,
    eightySixSending: new Set(),
    online: f.OPEN_ONLINE,
    onlineSending: false,
    clock: '19:42',
    person: null,
    canUndo: () => true,
    on: {
      bump: nothing, line: nothing, start: nothing, undo: nothing, recall: nothing, remake: nothing, handOver: nothing, split: nothing, page: nothing,
      shown: nothing, station: nothing, panel: nothing, allDay: nothing, highlight: nothing, arm: nothing, mute: nothing, fullScreen: nothing, theme: nothing, startStep: nothing,
      pair: nothing, dismiss: nothing, eightySix: nothing, intake: nothing, decide: nothing, answer: nothing, signOut: nothing,
    },
    ...more,
  }
}

const away = (w: Words, queued: number): Partial<KitchenProps> => ({
  link: 'down',
  banner: { tone: 'calm', text: `${w.bannerAway('19:38')} ${w.bannerAwayKitchen} ${queued > 0 ? w.bannerQueued(queued) : w.bannerNothingQueued}`, action: null },
})

const refusedAction = { id: 'r', order: '', station: 'pizza', course: 1, epoch: 0, action: { type: 'bump' as const } }

const kitchenStories: Story[] = [
  story('kitchen-empty', 'kitchen', 'dark', KitchenView, (w) => kitchen([], w, { sound: 'off' })),
  story('kitchen-loading', 'kitchen', 'dark', KitchenView, (w) => kitchen([], w, { state: 'loading', link: 'connecting' })),
  story('kitchen-one', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.oneOfEach().slice(0, 1), w)),
  story('kitchen-each-state', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.oneOfEach(), w, { allDayOpen: false })),
  story('kitchen-start-step', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.oneOfEach(), w, { startStep: true })),
  story('kitchen-each-state-light', 'kitchen', 'light', KitchenView, (w) => kitchen(f.oneOfEach(), w, { allDayOpen: true })),
  story('kitchen-forty', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.many(40), w, { station: 'all', allDayOpen: true })),
  story('kitchen-two-hundred', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.many(200), w, { station: 'all', allDayOpen: true })),
  story('kitchen-long-names', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.longNames(), w)),
  story('kitchen-two-numbers', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.oneOfEach().map((order, index) => (index < 2 ? { ...order, also: ['ACV002'] } : order)), w)),
  story('kitchen-alike', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.alike(), w)),
  story('kitchen-ready', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.bumped(), w, { toasts: [{ id: 't', text: w.bumped('A070'), undo: nothing }] })),
  story('kitchen-offline', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.bumped(), w, away(w, 3))),
  story('kitchen-sending', 'kitchen', 'dark', KitchenView, (w) => {
    const props = kitchen(f.oneOfEach().slice(0, 4), w)
    const entries = props.entries.map((entry, index) =>
      entry.kind === 'card'
        ? {
            ...entry,
            ghost: index === 0,
            card: {
              ...entry.card,
              phase: index === 0 ? ('ready' as const) : entry.card.phase,
              sending: true,
              rows: entry.card.rows.map((row) => (row.type === 'line' || row.type === 'rest' ? { ...row, line: { ...row.line, sending: true } } : row)),
            },
          }
        : entry,
    )
    const sending: KitchenProps = { ...props, entries, banner: { tone: 'calm', text: w.bannerSending(4), action: null } }
    return sending
  }),
  story('kitchen-refused', 'kitchen', 'dark', KitchenView, (w) =>
    kitchen(f.oneOfEach().slice(0, 3), w, { refused: [{ id: 'r', label: 'A040', code: 'cancelled', detail: 'The order was cancelled.', at: f.NOW, action: refusedAction }] }),
  ),
  story('kitchen-unpaired', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.oneOfEach().slice(0, 2), w, { link: 'down', banner: { tone: 'person', text: w.bannerUnpaired, action: 'pair' } })),
  story('kitchen-highlight', 'kitchen', 'dark', KitchenView, (w) => {
    const props = kitchen(f.many(14, 40), w, { allDayOpen: true })
    const [first] = props.lists.allDay
    return { ...props, highlight: first ? { key: first.key, tickets: new Set(first.tickets) } : null }
  }),
  story('kitchen-stations', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.oneOfEach(), w, { panel: { open: 'stations' } })),
  story('kitchen-more', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.oneOfEach(), w, { panel: { open: 'more' }, person: 'Ana Belén' })),
  story('kitchen-keys', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.oneOfEach(), w, { panel: { open: 'keys' } })),
  story('kitchen-86', 'kitchen', 'dark', KitchenView, (w) =>
    kitchen(f.oneOfEach(), w, { panel: { open: 'eighty_six' }, soldOut: soldOut(f.SOME_SOLD_OUT), eightySixSending: new Set([f.itemId('Four Cheese')]) }),
  ),
  story('kitchen-wishes', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.wished(), w)),
  story('kitchen-paused', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.oneOfEach(), w, { online: { ...f.PAUSED_ONLINE, waiting: [] } })),
  story('kitchen-waiting', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.oneOfEach(), w, { online: f.PAUSED_ONLINE })),
  story('kitchen-late-online', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.oneOfEach(), w, { online: f.LATE_ONLINE })),
  story('kitchen-late-online-open', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.oneOfEach(), w, { online: f.LATE_ONLINE, panel: { open: 'online' } })),
  story('kitchen-asked', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.oneOfEach().slice(0, 3), w, { refused: [{ id: 'r', label: w.online, code: 'asked', detail: w.owner.ownerAsked, at: f.NOW, action: refusedAction }] })),
  story('kitchen-online', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.oneOfEach(), w, { online: f.OPEN_ONLINE, panel: { open: 'online' } })),
  story('kitchen-online-paused', 'kitchen', 'light', KitchenView, (w) => kitchen(f.oneOfEach(), w, { online: f.PAUSED_ONLINE, panel: { open: 'online' } })),
  story('kitchen-recall', 'kitchen', 'dark', KitchenView, (w) => {
    const props = kitchen(f.bumped(), w)
    const [card] = props.lists.recall
    const looking: KitchenProps = card ? { ...props, panel: { open: 'recall', card, log: f.MERGED_LOG } } : props
    return looking
  }),
  story('kitchen-rtl', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.oneOfEach(), w, { allDayOpen: true }), { rtl: true }),
  story('kitchen-text-200', 'kitchen', 'dark', KitchenView, (w) => kitchen(f.oneOfEach(), w)),
]

// ---- kiosk

const index = indexMenu(f.MENU)

function kiosk(state: Kiosk, w: Words, more: Partial<KioskProps> = {}): KioskProps {
  return {
    w,
    site: 'Pizzeria Pilota',
    kiosk: state,
    index: w.dir === 'rtl' ? indexMenu(f.ARABIC_MENU) : index,
    soldOut: soldOut(f.SOME_SOLD_OUT),
    away: false,
    closed: false,
    idle: { state: 'here' },
    now: f.NOW,
    reach: false,
    languages: [
      { language: 'en', name: 'English' },
      { language: 'ar', name: 'العربية' },
    ],
    on: { send: nothing, keep: nothing, remove: nothing, place: nothing, giveUp: nothing, reach: nothing, language: nothing, here: nothing, reset: nothing, pair: nothing },
    ...more,
  }
}

const EMPTY_CART: Cart = { lines: [], fulfilment: 'dine_in', table: '', note: '', removed: null }
const CART: Cart = {
  fulfilment: 'dine_in',
  table: '',
  note: '',
  removed: null,
  lines: [
    {
      id: 'l1',
      item: f.itemId('Margherita'),
      variant: f.variantId('Margherita', 'L'),
      quantity: 2,
      note: 'cut in eight',
      choices: [
        { group: f.CRUST.id, option: f.optionId('Crust', 'Deep pan'), count: 1 },
        { group: f.EXTRAS.id, option: f.optionId('Extras', 'Extra basil'), count: 2 },
        { group: f.WITHOUT.id, option: f.optionId('Without', 'no garlic'), count: 1 },
      ],
    },
    { id: 'l2', item: f.itemId('Hawaiian'), variant: f.variantId('Hawaiian', 'L'), quantity: 1, note: null, choices: [{ group: f.CRUST.id, option: f.optionId('Crust', 'Thin'), count: 1 }] },
    { id: 'l3', item: f.itemId('Lemonade'), variant: f.variantId('Lemonade', ''), quantity: 3, note: null, choices: [] },
  ],
}
const GOOD_CART: Cart = { ...CART, lines: CART.lines.filter(({ id }) => id !== 'l2') }
const ordering = (at: 'menu' | 'cart', cart: Cart, more: { draft?: Draft | null; refusal?: Extract<Kiosk, { at: 'cart' }>['refusal'] } = {}): Kiosk => ({
  at,
  cart,
  category: null,
  draft: null,
  refusal: null,
  ...more,
})
const margherita = f.MENU.items[0]
if (!margherita) throw new Error('the stories need their menu')
const draft: Draft = { ...newDraft(margherita), variant: f.variantId('Margherita', 'M'), choices: [{ group: f.EXTRAS.id, option: f.optionId('Extras', 'Chilli oil'), count: 2 }] }
const placing = { at: 'placing' as const, cart: GOOD_CART, category: null, order: orderOf(GOOD_CART, 5620, 'o'), since: f.NOW }

const kioskStories: Story[] = [
  story('kiosk-welcome', 'kiosk', 'light', KioskView, (w) => kiosk({ at: 'welcome' }, w)),
  story('kiosk-welcome-offline', 'kiosk', 'light', KioskView, (w) => kiosk({ at: 'welcome' }, w, { away: true })),
  story('kiosk-menu', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('menu', EMPTY_CART), w)),
  story('kiosk-menu-dark', 'kiosk', 'dark', KioskView, (w) => kiosk(ordering('menu', GOOD_CART), w)),
  story('kiosk-menu-many', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('menu', GOOD_CART), w, { index: indexMenu(f.BIG_MENU) })),
  story('kiosk-menu-loading', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('menu', EMPTY_CART), w, { index: null })),
  story('kiosk-menu-offline', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('menu', GOOD_CART), w, { away: true })),
  story('kiosk-item', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('menu', EMPTY_CART, { draft }), w)),
  story('kiosk-item-missing', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('menu', EMPTY_CART, { draft: { ...draft, tried: true } }), w)),
  story('kiosk-cart', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('cart', GOOD_CART), w)),
  story('kiosk-cart-empty', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('cart', EMPTY_CART), w)),
  story('kiosk-cart-undo', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('cart', { ...GOOD_CART, removed: { line: CART.lines[1] as Cart['lines'][number], at: 1 } }), w)),
  story('kiosk-cart-sold-out', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('cart', CART, { refusal: { why: 'sold_out', lines: new Set(['l2']) } }), w)),
  story('kiosk-cart-price-changed', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('cart', GOOD_CART, { refusal: { why: 'price_changed' } }), w)),
  story('kiosk-placing', 'kiosk', 'light', KioskView, (w) => kiosk({ ...placing, attempted: true, away: false }, w)),
  story('kiosk-waiting', 'kiosk', 'light', KioskView, (w) => kiosk({ ...placing, attempted: true, away: true }, w, { away: true })),
  story('kiosk-placed', 'kiosk', 'light', KioskView, (w) => kiosk({ at: 'placed', order: f.placed('A042', 5620), since: f.NOW }, w)),
  story('kiosk-idle', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('menu', GOOD_CART), w, { idle: { state: 'warned', secondsLeft: 12 } })),
  story('kiosk-closed', 'kiosk', 'light', KioskView, (w) => kiosk({ at: 'welcome' }, w, { closed: true })),
  story('kiosk-reach', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('menu', GOOD_CART), w, { reach: true })),
  story('kiosk-menu-rtl', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('menu', GOOD_CART), w), { rtl: true }),
  story('kiosk-item-rtl', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('menu', EMPTY_CART, { draft }), w), { rtl: true }),
  story('kiosk-cart-rtl', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('cart', GOOD_CART), w), { rtl: true }),
  story('kiosk-menu-text-200', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('menu', GOOD_CART), w)),
  story('kiosk-cart-text-200', 'kiosk', 'light', KioskView, (w) => kiosk(ordering('cart', GOOD_CART), w)),
  story('phone-welcome', 'phone', 'light', KioskView, (w) => kiosk({ at: 'welcome' }, w)),
  story('phone-menu', 'phone', 'light', KioskView, (w) => kiosk(ordering('menu', GOOD_CART), w)),
  story('phone-item', 'phone', 'light', KioskView, (w) => kiosk(ordering('menu', EMPTY_CART, { draft }), w)),
  story('phone-cart', 'phone', 'light', KioskView, (w) => kiosk(ordering('cart', CART), w)),
  story('phone-placed', 'phone', 'light', KioskView, (w) => kiosk({ at: 'placed', order: f.placed('A042', 5620), since: f.NOW }, w)),
]

// ---- pairing, home

const pair = (pairing: ComponentProps<typeof PairView>['pairing'], code = '') => (w: Words) => ({ w, site: 'Pizzeria Pilota', pairing, code, name: '', onpair: nothing })

const otherStories: Story[] = [
  story('pair-typing', 'phone', 'light', PairView, pair({ state: 'typing' }, 'K7MP-3QXD')),
  story('pair-asking', 'phone', 'light', PairView, pair({ state: 'asking' }, 'K7MP-3QXD')),
  story('pair-refused', 'phone', 'light', PairView, (w) => pair({ state: 'problem', text: w.pairRefused, hint: w.pairRefusedHint }, 'K7MP-3QXX')(w)),
  story('pair-dark', 'kitchen', 'dark', PairView, pair({ state: 'typing' })),
  story('home-relay', 'phone', 'light', HomeView, (w) => ({ w, server: 'relay' as const, kitchen: null, kiosk: null, owner: null, go: nothing })),
  story('home', 'kitchen', 'light', HomeView, (w) => ({ w, server: 'node' as const, kitchen: 'Fry line left', kiosk: null, owner: null, go: nothing })),
]

// ---- shared components

const componentStories: Story[] = [
  story('component-ticket', 'kitchen', 'dark', TicketStory, (w) => ({ w })),
  story('component-ticket-light', 'kitchen', 'light', TicketStory, (w) => ({ w })),
  story('component-group', 'kitchen', 'dark', GroupStory, (w) => ({ w })),
  story('component-log', 'phone', 'light', MergeLogStory, (w) => ({ w })),
  story('component-banner', 'kitchen', 'dark', BannerStory, (w) => ({ w })),
  story('component-chip', 'kitchen', 'dark', ChipStory, (w) => ({ w })),
  story('component-pin', 'phone', 'dark', PinStory, (w) => ({ w })),
  story('component-stepper', 'phone', 'light', StepperStory, (w) => ({ w })),
  story('component-picture', 'kitchen', 'light', PictureStory, () => ({})),
  story('component-icon', 'kitchen', 'light', IconStory, () => ({})),
]

export const STORIES: readonly Story[] = [...kitchenStories, ...kioskStories, ...ownerStories, ...customerStories, ...riderStories, ...otherStories, ...componentStories]

/** Not a picture: the bench that measures how long a delta takes to be drawn. */
export const DRAW: Story = story('draw', 'kitchen', 'dark', DrawStory, (w) => ({ w }))

export function wordsOf(each: Story): Words {
  return each.rtl ? ar : en
}
