// Turns orders into what the board is given, as the kitchen's screen does with live ones.
import type { BoardEntry } from '../../components/Board.svelte'
import type { BoardOrderJson } from '../../generated/api'
import { age } from '../../kernels/ticket_age'
import type { Words } from '../../words'
import type { Card, Lists } from '../kitchen/model'
import { cardsOf, lateCount, lists } from '../kitchen/model'
import { MENU, NOW } from './fixtures'

const NAMES = new Map(MENU.stations.map(({ id, name }) => [id, name]))

export function cardsFrom(orders: readonly BoardOrderJson[]): Card[] {
  return orders.flatMap((order) => cardsOf(order, [], NAMES))
}

export function fromOrders(orders: readonly BoardOrderJson[], station: string, _w: Words): { entries: BoardEntry[]; lists: Lists; late: number } {
  const board = lists(cardsFrom(orders), station, new Set(), NOW)
  const cards = new Map(board.active.map((card) => [card.key, card]))
  const groups = new Map(board.groups.map((group) => [group.key, group]))
  const entries: BoardEntry[] = []
  for (const key of board.wanted) {
    const card = cards.get(key)
    const group = groups.get(key)
    if (card) entries.push({ kind: 'card', key, card, ghost: false, grouped: false })
    else if (group) entries.push({ kind: 'group', key, group, ghost: false })
  }
  return { entries, lists: board, late: lateCount(board.active, (card) => age(card.startAt, card.estimateS, NOW).state === 'late') }
}
