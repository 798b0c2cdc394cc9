// What the kitchen shows, computed from the replica, this device's unanswered taps and the station: pure.
import type { BoardOrderJson, ChannelJson, EpochKindJson, FulfilmentJson, TicketChoiceJson, TicketLineJson } from '../../generated/api'
import type { AllDay } from '../../kernels/all_day'
import { allDay } from '../../kernels/all_day'
import { isAllergy, sortNotes } from '../../kernels/allergy'
import type { Alike, Group } from '../../kernels/grouping'
import { group } from '../../kernels/grouping'
import { byPriority } from '../../kernels/priority'
import { unreachable } from '../../kernels/unreachable'
import type { Link } from '../../live/link'
import type { ShownTicket, Tap } from '../../live/overlay'
import { overlay } from '../../live/overlay'
import type { Words } from '../../words'

export type Mark =
  | { type: 'none' }
  | { type: 'added' }
  /** `replaced`: the line that it takes the place of, which is not shown beside it. */
  | { type: 'changed'; wasQuantity: number; wasName: string; wasVariant: string | null; replaced: string | null }
  /** `seen`: a cook confirmed it; until then the line is covered. */
  | { type: 'voided'; why: string; seen: boolean }

export type CardLine = {
  id: string
  name: string
  variant: string
  quantity: number
  choices: readonly TicketChoiceJson[]
  note: string | null
  done: boolean
  /** After how long it was done. */
  doneAfterMs: number | null
  voided: boolean
  mark: Mark
  sending: boolean
}

/** A line with much to say goes on in `rest` rows, so that no row is taller than a column. */
export type CardRow =
  | { type: 'line'; key: string; line: CardLine; choices: readonly TicketChoiceJson[]; note: string | null }
  | { type: 'rest'; key: string; line: CardLine; choices: readonly TicketChoiceJson[]; note: string | null }
  | { type: 'allergy'; key: string; text: string }
  | { type: 'note'; key: string; text: string; was: string | null }
  /** It is for later. */
  | { type: 'later'; key: string; at: number }

export type Other = { station: string; state: 'ready' | 'open'; lines: number }

export type Card = {
  key: string
  order: string
  station: string
  stationName: string
  course: number
  showCourse: boolean
  epoch: number
  epochKind: EpochKindJson
  number: string | null
  /** Others that people hold for it. */
  also: readonly string[]
  channel: ChannelJson
  fulfilment: FulfilmentJson
  table: string | null
  placedAt: number
  startAt: number
  startedAt: number | null
  readyAt: number | null
  estimateS: number
  phase: ShownTicket['phase']
  rows: readonly CardRow[]
  lines: readonly CardLine[]
  others: readonly Other[]
  allergy: boolean
  sending: boolean
  acknowledged: boolean
}

export type StationNames = ReadonlyMap<string, string>

export function ticketKey(order: string, station: string, course: number): string {
  return `${order} ${station} ${course}`
}

export function stationName(key: string, names: StationNames): string {
  return names.get(key) ?? key.charAt(0).toUpperCase() + key.slice(1)
}

export function cardsOf(order: BoardOrderJson, taps: readonly Tap[], names: StationNames): Card[] {
  const shown = order.tickets.map((ticket) => overlay(ticket, taps))
  const courses = new Set(shown.map((ticket) => ticket.course))
  return shown.map((ticket) => {
    const replaced = replacedLines(ticket.lines)
    const hidden = new Set([...replaced.values()].map(({ id }) => id))
    const lines = ticket.lines.filter((line) => !hidden.has(line.id)).map((line) => cardLine(line, ticket, order.start_at, replaced.get(line.id) ?? null))
    const { allergies, plain } = sortNotes([order.note])
    const rows: CardRow[] = []
    for (const line of lines) {
      rows.push(...lineRows(line))
      if (line.note !== null && isAllergy(line.note)) rows.push({ type: 'allergy', key: `${line.id} allergy`, text: line.note })
    }
    for (const text of allergies) rows.push({ type: 'allergy', key: `allergy ${text}`, text })
    // A board that was kept before an upgrade has none.
    const said = (order.amendments ?? []).filter(({ field, state }) => field === 'instructions' && state === 'granted').at(-1)
    for (const text of plain) rows.push({ type: 'note', key: `note ${text}`, text, was: said?.old ?? null })
    // What is not wanted any more is shown too: somebody may have read it.
    if (order.note === null && said?.old) rows.push({ type: 'note', key: 'note gone', text: '', was: said.old })
    if (order.ready_not_before != null) rows.push({ type: 'later', key: 'later', at: order.ready_not_before })
    return {
      key: ticketKey(order.id, ticket.station, ticket.course),
      order: order.id,
      station: ticket.station,
      stationName: stationName(ticket.station, names),
      course: ticket.course,
      showCourse: courses.size > 1,
      epoch: ticket.epoch,
      epochKind: ticket.epoch_kind,
      number: order.number,
      also: order.also,
      channel: order.channel,
      fulfilment: order.fulfilment,
      table: order.table,
      placedAt: order.placed_at,
      startAt: order.start_at,
      startedAt: ticket.started_at,
      readyAt: ticket.ready_at,
      estimateS: ticket.estimate_s,
      phase: ticket.phase,
      rows,
      lines,
      others: othersOf(ticket, shown, names),
      allergy: rows.some((row) => row.type === 'allergy'),
      sending: ticket.sending,
      acknowledged: ticket.acknowledged,
    }
  })
}

/** More choices than this go on in a row of their own; so does a note longer than this. */
const ROW_CHOICES_MAX = 5
const ROW_NOTE_MAX = 80

function lineRows(line: CardLine): CardRow[] {
  const note = isAllergy(line.note) ? null : line.note
  const noteApart = note !== null && (note.length > ROW_NOTE_MAX || line.choices.length > ROW_CHOICES_MAX)
  const rows: CardRow[] = [{ type: 'line', key: line.id, line, choices: line.choices.slice(0, ROW_CHOICES_MAX), note: noteApart ? null : note }]
  for (let at = ROW_CHOICES_MAX; at < line.choices.length; at += ROW_CHOICES_MAX) {
    rows.push({ type: 'rest', key: `${line.id} ${at}`, line, choices: line.choices.slice(at, at + ROW_CHOICES_MAX), note: null })
  }
  if (noteApart) rows.push({ type: 'rest', key: `${line.id} note`, line, choices: [], note })
  return rows
}

/** Which void line each changed one takes the place of: `2 → 3` says both, and the cook taps once. */
function replacedLines(lines: readonly TicketLineJson[]): Map<string, TicketLineJson> {
  const pairs = new Map<string, TicketLineJson>()
  const taken = new Set<string>()
  for (const line of lines) {
    const change = line.change
    if (change?.type !== 'changed') continue
    const old = lines.find(
      (other) => other.change?.type === 'voided' && !taken.has(other.id) && other.quantity === change.was_quantity && wasNamed(other, change.was_name),
    )
    if (!old) continue
    taken.add(old.id)
    pairs.set(line.id, old)
  }
  return pairs
}

function wasNamed(line: TicketLineJson, name: string): boolean {
  return name === line.name || name === `${line.name} ${line.variant_name}`.trim()
}

function cardLine(line: TicketLineJson, ticket: ShownTicket, startAt: number, replaced: TicketLineJson | null): CardLine {
  return {
    id: line.id,
    name: line.name,
    variant: line.variant_name,
    quantity: line.quantity,
    choices: line.choices,
    note: line.note?.trim() || null,
    done: line.done_at !== null,
    doneAfterMs: line.done_at === null ? null : Math.max(0, line.done_at - startAt),
    voided: line.change?.type === 'voided',
    mark: markOf(line, replaced),
    sending: ticket.sendingLines.has(line.id),
  }
}

function markOf(line: TicketLineJson, replaced: TicketLineJson | null): Mark {
  const change = line.change
  if (change === null) return { type: 'none' }
  switch (change.type) {
    case 'added':
      return change.seen ? { type: 'none' } : { type: 'added' }
    case 'changed':
      return change.seen ? { type: 'none' } : { type: 'changed', wasQuantity: change.was_quantity, wasName: change.was_name, wasVariant: replaced?.variant_name ?? null, replaced: replaced?.id ?? null }
    case 'voided':
      return { type: 'voided', why: change.why, seen: change.seen }
    default:
      return unreachable(change)
  }
}

function othersOf(mine: ShownTicket, all: readonly ShownTicket[], names: StationNames): Other[] {
  return all
    .filter((ticket) => ticket !== mine && ticket.course === mine.course && ticket.station !== mine.station)
    .map((ticket) => ({
      station: stationName(ticket.station, names),
      state: ticket.phase === 'ready' || ticket.phase === 'handed_over' ? 'ready' : 'open',
      lines: ticket.lines.filter((line) => line.change?.type !== 'voided').reduce((sum, line) => sum + line.quantity, 0),
    }))
}

/** Something on the line waits for the cook's eyes. */
export function unseen(line: CardLine): boolean {
  return line.mark.type === 'added' || line.mark.type === 'changed' || (line.mark.type === 'voided' && !line.mark.seen)
}

/** Remembers cards by the identity of what they were made from: a delta makes only the changed orders' cards anew. */
export function cardMemo(): (orders: Iterable<BoardOrderJson>, taps: ReadonlyMap<string, Tap[]>, names: StationNames) => Card[] {
  type Made = { order: BoardOrderJson; taps: readonly Tap[]; cards: Card[] }
  const none: readonly Tap[] = []
  let made = new Map<string, Made>()
  let madeFor: StationNames | undefined
  return (orders, taps, names) => {
    const next = new Map<string, Made>()
    const cards: Card[] = []
    for (const order of orders) {
      const mine = taps.get(order.id) ?? none
      const before = madeFor === names ? made.get(order.id) : undefined
      const entry = before && before.order === order && sameTaps(before.taps, mine) ? before : { order, taps: mine, cards: cardsOf(order, mine, names) }
      next.set(order.id, entry)
      cards.push(...entry.cards)
    }
    made = next
    madeFor = names
    return cards
  }
}

function sameTaps(a: readonly Tap[], b: readonly Tap[]): boolean {
  return a.length === b.length && a.every((tap, index) => tap.action === b[index]?.action && tap.answered === b[index]?.answered)
}

export type Lists = {
  /** To be made here, by priority, alike ones together. */
  active: Card[]
  groups: Group[]
  /** Keys of groups and tickets in the order they should stand. */
  wanted: string[]
  /** Bumped here, the last first, at most ten. */
  recall: Card[]
  /** Whole orders that wait for their guest, the oldest first. */
  ready: ReadyOrder[]
  allDay: AllDay[]
}

export type ReadyOrder = { order: string; number: string | null; also: readonly string[]; fulfilment: FulfilmentJson; table: string | null; since: number; tickets: Card[]; handingOver: boolean }

export const RECALL_MAX = 10
export const ALL = 'all'

export function lists(cards: readonly Card[], station: string, split: ReadonlySet<string>, now: number): Lists {
  const mine = station === ALL ? cards : cards.filter((card) => card.station === station)
  const active = byPriority(
    mine.filter((card) => card.phase === 'queued' || card.phase === 'started'),
    now,
  )
  const groups = group(active.map(alikeOf), split)
  return {
    active,
    groups,
    wanted: wantedOrder(active, groups),
    recall: mine
      .filter((card) => card.phase === 'ready')
      .sort((a, b) => (b.readyAt ?? 0) - (a.readyAt ?? 0))
      .slice(0, RECALL_MAX),
    ready: readyOrders(cards),
    allDay: allDay(active),
  }
}

const alikes = new WeakMap<Card, Alike>()

/** What grouping asks of a card; the same object as long as the card is. */
function alikeOf(card: Card): Alike {
  let alike = alikes.get(card)
  if (!alike) {
    alike = {
      key: card.key,
      placedAt: card.placedAt,
      station: card.station,
      started: card.phase !== 'queued' || card.lines.some((line) => line.done),
      lines: card.lines.filter((line) => !line.voided),
    }
    alikes.set(card, alike)
  }
  return alike
}

/** Members of a group stand together where its first one would. */
function wantedOrder(active: readonly Card[], groups: readonly Group[]): string[] {
  const groupOf = new Map<string, Group>()
  for (const candidate of groups) for (const member of candidate.members) groupOf.set(member, candidate)
  const wanted: string[] = []
  const placed = new Set<string>()
  for (const card of active) {
    if (placed.has(card.key)) continue
    const home = groupOf.get(card.key)
    const keys = home ? [home.key, ...home.members] : [card.key]
    for (const key of keys) placed.add(key)
    wanted.push(...keys)
  }
  return wanted
}

function readyOrders(cards: readonly Card[]): ReadyOrder[] {
  const byOrder = new Map<string, Card[]>()
  for (const card of cards) {
    const list = byOrder.get(card.order)
    if (list) list.push(card)
    else byOrder.set(card.order, [card])
  }
  const ready: ReadyOrder[] = []
  for (const [order, tickets] of byOrder) {
    const [first] = tickets
    if (!first || tickets.some((card) => card.phase === 'queued' || card.phase === 'started')) continue
    const handingOver = tickets.every((card) => card.phase === 'handed_over')
    // Handed over and answered: the order is about to leave the board.
    if (handingOver && !tickets.some((card) => card.sending)) continue
    ready.push({
      order,
      number: first.number,
      also: first.also,
      fulfilment: first.fulfilment,
      table: first.table,
      since: Math.max(...tickets.map((card) => card.readyAt ?? 0)),
      tickets,
      handingOver,
    })
  }
  return ready.sort((a, b) => a.since - b.since)
}

export function lateCount(cards: readonly Card[], isLate: (card: Card) => boolean): number {
  return cards.reduce((sum, card) => sum + (isLate(card) ? 1 : 0), 0)
}

// ---- the one line about the connection

export type Banner = { tone: 'calm' | 'person'; text: string; action: 'pair' | null }

export type Situation = {
  link: Link
  /** Since when the node is silent; null while it is not. */
  lostAt: number | null
  now: number
  queued: number
  /** The oldest unanswered tap. */
  oldestQueuedAt: number | null
}

/** A blink of the network is not news. */
const NEWS_AFTER_MS = 2_000

export function banner(situation: Situation, clock: (at: number) => string, w: Words): Banner | null {
  const { link, lostAt, now, queued, oldestQueuedAt } = situation
  switch (link.state) {
    case 'refused':
      return { tone: 'person', text: w.bannerUnpaired, action: 'pair' }
    case 'live':
      if (queued > 0 && oldestQueuedAt !== null && now - oldestQueuedAt > NEWS_AFTER_MS) return { tone: 'calm', text: w.bannerSending(queued), action: null }
      return null
    case 'stopped':
      return null
    case 'opening':
    case 'greeting':
    case 'waiting': {
      if (lostAt === null || now - lostAt < NEWS_AFTER_MS) return null
      const waits = queued > 0 ? w.bannerQueued(queued) : w.bannerNothingQueued
      return { tone: 'calm', text: `${w.bannerAway(clock(lostAt))} ${w.bannerAwayKitchen} ${waits}`, action: null }
    }
    default:
      return unreachable(link)
  }
}

// ---- keys of a bump bar or keyboard

export type Key =
  | { do: 'bump'; index: number }
  | { do: 'move'; by: 'next' | 'previous' | 'down' | 'up' }
  | { do: 'start' }
  | { do: 'recall' }
  | { do: 'allDay' }
  | { do: 'page'; by: 1 | -1 }
  | { do: 'undo' }

export function keyOf(event: { key: string; ctrlKey: boolean; metaKey: boolean; altKey: boolean }, dir: 'ltr' | 'rtl'): Key | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null
  if (/^[1-9]$/.test(event.key)) return { do: 'bump', index: Number(event.key) - 1 }
  switch (event.key) {
    case 'ArrowRight':
      return { do: 'move', by: dir === 'ltr' ? 'next' : 'previous' }
    case 'ArrowLeft':
      return { do: 'move', by: dir === 'ltr' ? 'previous' : 'next' }
    case 'ArrowDown':
      return { do: 'move', by: 'down' }
    case 'ArrowUp':
      return { do: 'move', by: 'up' }
    case 's':
    case 'S':
      return { do: 'start' }
    case 'r':
    case 'R':
      return { do: 'recall' }
    case 'a':
    case 'A':
      return { do: 'allDay' }
    case 'n':
    case 'N':
    case 'PageDown':
      return { do: 'page', by: 1 }
    case 'p':
    case 'P':
    case 'PageUp':
      return { do: 'page', by: -1 }
    case 'u':
    case 'U':
      return { do: 'undo' }
    default:
      return null
  }
}

// ---- what to sound

/** The sound for what changed between two looks at the board: a change of a known ticket is more urgent than a new one. */
export function soundFor(before: ReadonlyMap<string, Card>, after: readonly Card[]): 'new' | 'changed' | null {
  let sound: 'new' | 'changed' | null = null
  for (const card of after) {
    const known = before.get(card.key)
    if (!known) {
      sound ??= 'new'
      continue
    }
    if (known === card) continue
    const attention = card.epoch > known.epoch && (card.epochKind === 'cook_again' || card.epochKind === 'more')
    const had = new Set(known.lines.filter(unseen).map((line) => `${line.id} ${line.mark.type}`))
    if (attention || card.lines.some((line) => unseen(line) && !had.has(`${line.id} ${line.mark.type}`))) return 'changed'
  }
  return sound
}
