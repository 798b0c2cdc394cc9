// Typed requests to the node. Three ways to end: answered, refused for a reason, or away (nobody answered, or not with a verdict).
import type {
  AvailabilityJson,
  EightySixJson,
  KitchenActionsJson,
  KitchenOutcomesJson,
  MenuJson,
  OrderJson,
  PairedJson,
  PairJson,
  PlaceOrderJson,
  ProblemJson,
  SignedInJson,
  SignInJson,
  SiteJson,
  StaffListJson,
  WhoAmIJson,
} from '../generated/api'

export type Answer<T> =
  | { kind: 'ok'; value: T; etag: string | null }
  | { kind: 'unchanged' }
  | { kind: 'refused'; problem: ProblemJson }
  | { kind: 'away' }

const TIMEOUT_MS = 8_000

export type Client = ReturnType<typeof client>

export function client(token: string | null, base = '/api/v1') {
  async function ask<T>(method: string, path: string, body?: unknown, etag?: string | null): Promise<Answer<T>> {
    const stop = new AbortController()
    const timer = setTimeout(() => stop.abort(), TIMEOUT_MS)
    try {
      const response = await fetch(base + path, {
        method,
        signal: stop.signal,
        cache: 'no-store',
        headers: {
          accept: 'application/json',
          ...(token ? { authorization: `Bearer ${token}` } : {}),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(etag ? { 'if-none-match': etag } : {}),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      if (response.status === 304) return { kind: 'unchanged' }
      if (response.ok) {
        const text = await response.text()
        return { kind: 'ok', value: (text === '' ? undefined : JSON.parse(text)) as T, etag: response.headers.get('etag') }
      }
      // Too busy, or broken: no verdict. The same request, with the same id, is sent again later.
      if (response.status >= 500 || response.status === 429 || response.status === 408) return { kind: 'away' }
      return { kind: 'refused', problem: await problemOf(response) }
    } catch {
      return { kind: 'away' }
    } finally {
      clearTimeout(timer)
    }
  }

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
    order: (id: string) => ask<OrderJson>('GET', `/orders/${id}`),
    kitchenActions: (body: KitchenActionsJson) => ask<KitchenOutcomesJson>('POST', '/kitchen/actions', body),
    eightySix: (item: string, body: EightySixJson) => ask<unknown>('PUT', `/items/${item}/availability`, body),
  }
}

async function problemOf(response: Response): Promise<ProblemJson> {
  const text = await response.text()
  try {
    const problem = JSON.parse(text) as Partial<ProblemJson>
    if (typeof problem.code === 'string') {
      return { type: '', title: '', detail: '', field: null, remedy: null, ...problem, status: response.status, code: problem.code }
    }
  } catch {
    // Not a problem document: somebody between us and the node answered.
  }
  return { type: '', title: response.statusText, status: response.status, code: 'unknown', detail: text.slice(0, 200), field: null, remedy: null }
}
