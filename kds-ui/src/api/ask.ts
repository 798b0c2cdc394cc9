// One request over HTTP and JSON. Three ways to end: answered, refused for a reason, or away (nobody answered, or not with a verdict).
import type { ProblemJson } from '../generated/api'

export type Answer<T> =
  | { kind: 'ok'; value: T; etag: string | null; /** 202: accepted, the verdict is still to come. */ pending?: boolean }
  | { kind: 'unchanged' }
  | { kind: 'refused'; problem: ProblemJson }
  | { kind: 'away' }

export type Ask = <T>(method: string, path: string, body?: unknown, etag?: string | null) => Promise<Answer<T>>

const TIMEOUT_MS = 8_000

/** Requests with this token. */
export function asker(token: string | null, base = '/api/v1', timeoutMs = TIMEOUT_MS): Ask {
  return async function ask<T>(method: string, path: string, body?: unknown, etag?: string | null): Promise<Answer<T>> {
    const stop = new AbortController()
    const timer = setTimeout(() => stop.abort(), timeoutMs)
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
        return { kind: 'ok', value: (text === '' ? undefined : JSON.parse(text)) as T, etag: response.headers.get('etag'), ...(response.status === 202 ? { pending: true } : {}) }
      }
      // Too busy, or broken: no verdict. The same request, with the same id, is sent again later.
      if (response.status >= 500 || response.status === 408) return { kind: 'away' }
      const problem = await problemOf(response)
      // Too many wrong PINs or passwords is a verdict, and says how long to wait.
      return response.status === 429 && problem.code !== 'locked' ? { kind: 'away' } : { kind: 'refused', problem }
    } catch {
      return { kind: 'away' }
    } finally {
      clearTimeout(timer)
    }
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
