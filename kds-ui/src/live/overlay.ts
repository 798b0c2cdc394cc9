// What the screen shows of an order: the node's facts with this device's unanswered taps laid over them, marked as being sent.
import type { BoardOrderJson, KitchenActionJson, TicketJson } from '../generated/api'
import { unreachable } from '../kernels/unreachable'

export type Tap = { action: KitchenActionJson; at: number; answered: boolean }

export type ShownTicket = TicketJson & {
  /** Something of it is not yet confirmed by the node. */
  sending: boolean
  /** Lines whose tap is not yet confirmed. */
  sendingLines: ReadonlySet<string>
}

const NONE: ReadonlySet<string> = new Set()

export function overlay(ticket: TicketJson, taps: readonly Tap[]): ShownTicket {
  let shown: ShownTicket = { ...ticket, sending: false, sendingLines: NONE }
  for (const tap of taps) {
    if (!about(tap.action, ticket)) continue
    // A tap on an older epoch is the node's to answer; it says nothing about this one.
    if (tap.action.epoch < shown.epoch) continue
    shown = lay(shown, tap)
  }
  return shown
}

export function about(action: KitchenActionJson, ticket: TicketJson): boolean {
  return action.station === ticket.station && action.course === ticket.course
}

function lay(ticket: ShownTicket, tap: Tap): ShownTicket {
  const sending = ticket.sending || !tap.answered
  const action = tap.action.action
  switch (action.type) {
    case 'start':
      return ticket.phase === 'queued' ? { ...ticket, phase: 'started', started_at: tap.at, sending } : ticket
    case 'bump':
      return ticket.phase === 'queued' || ticket.phase === 'started' ? { ...ticket, phase: 'ready', ready_at: tap.at, sending } : ticket
    case 'hand_over':
      return { ...ticket, phase: 'handed_over', sending }
    case 'recall':
    case 'remake':
      return ticket.phase === 'ready' || ticket.phase === 'handed_over'
        ? { ...ticket, phase: 'queued', ready_at: null, epoch: tap.action.epoch + 1, epoch_kind: action.type === 'recall' ? 'look_again' : 'cook_again', sending }
        : ticket
    case 'line': {
      // As the node does: the first line done means that the cook has begun.
      const begun = action.done && ticket.phase === 'queued' ? { ...ticket, phase: 'started' as const, started_at: tap.at } : ticket
      return onLine(begun, tap, action.line, (line) => ({ ...line, done_at: action.done ? (line.done_at ?? tap.at) : null }))
    }
    case 'seen':
      return onLine(ticket, tap, action.line, (line) => ({ ...line, change: line.change === null ? null : { ...line.change, seen: true } }))
    case 'acknowledge':
      return { ...ticket, acknowledged: true }
    default:
      return unreachable(action)
  }
}

function onLine(ticket: ShownTicket, tap: Tap, id: string, change: (line: TicketJson['lines'][number]) => TicketJson['lines'][number]): ShownTicket {
  if (!ticket.lines.some((line) => line.id === id)) return ticket
  return {
    ...ticket,
    lines: ticket.lines.map((line) => (line.id === id ? change(line) : line)),
    sendingLines: tap.answered ? ticket.sendingLines : new Set([...ticket.sendingLines, id]),
  }
}

/** Whether the node's own ticket already shows what the tap did, or went beyond it: then the tap has nothing more to cover. */
export function reflected(order: BoardOrderJson | undefined, action: KitchenActionJson): boolean {
  const ticket = order?.tickets.find((candidate) => about(action, candidate))
  if (!ticket || ticket.epoch > action.epoch) return true
  switch (action.action.type) {
    case 'start':
      return ticket.phase !== 'queued'
    case 'bump':
      return ticket.phase === 'ready' || ticket.phase === 'handed_over'
    case 'hand_over':
      return ticket.phase === 'handed_over'
    case 'recall':
    case 'remake':
      return false
    case 'line': {
      const { line, done } = action.action
      return ticket.lines.find((candidate) => candidate.id === line)?.done_at != null === done
    }
    case 'seen': {
      const { line } = action.action
      return ticket.lines.find((candidate) => candidate.id === line)?.change?.seen !== false
    }
    case 'acknowledge':
      return ticket.acknowledged
    default:
      return unreachable(action.action)
  }
}
