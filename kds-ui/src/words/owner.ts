// The owner's words. Staff's screens stay in English until somebody who works in another language has read them.
import type { StatusJson } from '../generated/api'

const plural = (n: number, one: string, many: string) => `${n} ${n === 1 ? one : many}`
const devices = (n: number) => plural(n, 'device', 'devices')

export const owner = {
  title: 'Owner',
  status: {
    ORDER_PLACED: 'placed',
    ORDER_CONFIRMED: 'confirmed',
    PREPARING: 'cooking',
    READY_FOR_PICKUP: 'ready',
    PICKED_UP: 'picked up',
    OUT_FOR_DELIVERY: 'on the way',
    COMPLETED: 'done',
    DELIVERY_FAILED: 'not delivered',
    CANCELLED: 'cancelled',
    REFUNDED: 'refunded',
  } satisfies Record<StatusJson, string>,

  // ---- link and safety
  safeOn: (n: number) => `Safe on ${devices(n)}`,
  online: (safeOn: number) => `Safe on ${devices(safeOn)} · online`,
  onlineWaiting: (n: number) => `Online · ${plural(n, 'change', 'changes')} on the way`,
  connecting: (n: number) => `Connecting to the internet · ${plural(n, 'change waits', 'changes wait')}`,
  alone: (safeOn: number) => `Working alone, no cloud set up · safe on ${devices(safeOn)}`,
  offline: (since: string) => `No internet since ${since}.`,
  offlineWorks: 'Kitchen, kiosk and cash work.',
  offlineWaits: (n: number) => (n === 0 ? 'Nothing waits to sync.' : `${plural(n, 'change', 'changes')} will sync.`),
  away: (since: string) => `No answer from the node since ${since}. You see what it said then.`,
  unknown: 'Asking the node',
  unpaired: 'This phone is not paired any more. Ask an administrator for a new code.',

  // ---- sales
  sales: 'Sales today',
  ordersCount: (n: number) => plural(n, 'order', 'orders'),
  average: (amount: string) => `${amount} each`,
  cancelledCount: (n: number) => `${n} cancelled`,
  noSales: 'Nothing sold yet today',
  noSalesHint: 'The first order shows here by itself.',
  chart: 'Sales by hour',
  hourSold: (hour: string, amount: string) => `${hour}: ${amount}`,
  hourBefore: (amount: string) => `yesterday ${amount}`,
  yesterday: 'yesterday',
  yesterdaySoFar: (amount: string) => `yesterday by now ${amount}`,
  outage: (from: string, to: string) => `no internet ${from}–${to}`,
  partial: (n: number) => `Only the last ${n} orders are counted.`,
  loading: 'Adding up the day',

  // ---- what needs a decision
  decide: 'Needs a look',
  nothingToDecide: 'Nothing needs you',
  nothingToDecideHint: 'Late stations and stock that runs out show here.',
  lateStation: (station: string, n: number) => `${station}: ${plural(n, 'ticket', 'tickets')} late`,
  lateOldest: (n: number) => `the oldest by ${n} min`,
  out: (name: string) => `${name} is out`,
  outHint: 'What needs it cannot be ordered.',
  low: (name: string, left: string) => `${name}: ${left} left`,
  lowHint: (n: number) => `${n} % of what was there`,

  // ---- orders
  orders: 'Orders',
  findOrder: 'Find by number',
  noOrders: 'No orders yet today',
  noOrderFound: (number: string) => `No order ${number} today`,
  moreOrders: 'Show more',
  orderTitle: (number: string) => `Order ${number}`,
  lines: 'Lines',
  history: 'What happened',
  paid: 'Paid',
  due: 'Due',
  total: 'Total',
  voided: (why: string) => `taken off: ${why}`,

  // ---- stock
  stock: 'Stock',
  noStock: 'No ingredients are counted here',
  noStockHint: 'Items without a recipe are never sold out by themselves.',
  stockOut: 'out',
  stockLow: 'low',
  notEnforced: 'does not stop the sale',
  held: (amount: string) => `${amount} promised to open orders`,
  otherMachine: (letters: string) => `Another machine has written here as ${letters}. If it is off for good, this one can sell what it had left. Count it soon.`,
  takeOver: 'It is off: take over its stock',
  tookOver: (n: number) => (n === 0 ? 'Nothing was left to take over' : `Stock of ${n} ingredients was taken over`),
  uncounted: (amount: string) => `${amount} nobody has counted`,
  missing: (amount: string) => `${amount} sold that was not there: count it`,
  left: 'left',
  loadingStock: 'Fetching the stock',
  loadingOrders: 'Fetching the orders',

  // ---- 86
  eightySix: 'Sold out (86)',
  eightySixCount: (n: number) => `${n} off`,
  person: 'Who does it',
}
