// Typed requests to the node.
import type {
  AdoptedJson,
  AdoptJson,
  AnswerRequestJson,
  AvailabilityJson,
  ChangeItemJson,
  CloseShiftJson,
  DayReportJson,
  DecisionJson,
  EightySixJson,
  IntakeCommandJson,
  IntakeJson,
  KitchenActionsJson,
  KitchenOutcomesJson,
  MenuConflictsJson,
  MenuJson,
  MoveCashJson,
  OpenShiftJson,
  OrderJson,
  OrderLogJson,
  OrdersJson,
  PairedJson,
  PairJson,
  PlaceOrderJson,
  SignedInJson,
  ShiftJson,
  SignInJson,
  SiteJson,
  StaffListJson,
  StockJson,
  TillJson,
  WhoAmIJson,
} from '../generated/api'

import type { UplinkJson } from '../generated/api'
import { asker } from './ask'

export type { Answer } from './ask'

export type Client = ReturnType<typeof client>

/** What went wrong, then what to do about it. */
export const inWords = (problem: { detail: string; remedy: string | null }): string =>
  problem.remedy === null ? problem.detail : `${problem.detail.replace(/[.\s]+$/, '')}. ${problem.remedy}`

export function client(token: string | null, base = '/api/v1') {
  const ask = asker(token, base)

  return {
    site: () => ask<SiteJson>('GET', '/site'),
    pair: (body: PairJson) => ask<PairedJson>('POST', '/pair', body),
    whoami: () => ask<WhoAmIJson>('GET', '/whoami'),
    staff: () => ask<StaffListJson>('GET', '/staff'),
    signIn: (body: SignInJson) => ask<SignedInJson>('POST', '/sign-in', body),
    signOut: () => ask<undefined>('POST', '/sign-out'),
    menu: (etag: string | null) => ask<MenuJson>('GET', '/menu', undefined, etag),
    availability: () => ask<AvailabilityJson>('GET', '/availability'),
    place: (order: PlaceOrderJson) => ask<OrderJson>('POST', '/orders', order),
    /** The latest orders, those placed before a time first. */
    orders: (before: number | null, limit: number) => ask<OrdersJson>('GET', `/orders?state=all&limit=${limit}${before === null ? '' : `&before=${before}`}`),
    ordersByNumber: (number: string) => ask<OrdersJson>('GET', `/orders?number=${encodeURIComponent(number)}`),
    stock: () => ask<StockJson>('GET', '/stock'),
    adopt: (origin: string) => ask<AdoptedJson>('POST', '/stock/adoptions', { origin } satisfies AdoptJson),
    till: () => ask<TillJson>('GET', '/till'),
    openShift: (body: OpenShiftJson) => ask<ShiftJson>('POST', '/till/shifts', body),
    moveCash: (shift: string, body: MoveCashJson) => ask<ShiftJson>('POST', `/till/shifts/${shift}/cash`, body),
    closeShift: (shift: string, body: CloseShiftJson) => ask<ShiftJson>('POST', `/till/shifts/${shift}/close`, body),
    day: (number: number) => ask<DayReportJson>('GET', `/days/${number}`),
    closeDay: (number: number) => ask<DayReportJson>('POST', `/days/${number}/close`),
    uplink: () => ask<UplinkJson>('GET', '/uplink'),
    orderLog: (id: string) => ask<OrderLogJson>('GET', `/orders/${id}/log`),
    order: (id: string) => ask<OrderJson>('GET', `/orders/${id}`),
    kitchenActions: (body: KitchenActionsJson) => ask<KitchenOutcomesJson>('POST', '/kitchen/actions', body),
    /** Pauses orders from home, promises more minutes, or opens again. */
    setIntake: (body: IntakeCommandJson) => ask<IntakeJson>('PUT', '/online/intake', body),
    decide: (order: string, body: DecisionJson) => ask<OrderJson>('POST', `/orders/${order}/decision`, body),
    answerRequest: (request: string, body: AnswerRequestJson) => ask<OrderJson>('POST', `/online/requests/${request}`, body),
    menuConflicts: () => ask<MenuConflictsJson>('GET', '/menu/conflicts'),
    changeItem: (item: string, body: Partial<ChangeItemJson>) => ask<MenuConflictsJson>('PATCH', `/items/${item}`, body),
    eightySix: (item: string, body: EightySixJson) => ask<unknown>('PUT', `/items/${item}/availability`, body),
  }
}
