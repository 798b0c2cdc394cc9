import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Answer } from '../api/ask'
import type { FollowPorts } from './follow'
import { follow } from './follow'

type Doc = { id: string; n: number }

class FakeSocket {
  static opened: FakeSocket[] = []
  sent: string[] = []
  onopen: (() => void) | null = null
  onmessage: ((event: { data: string }) => void) | null = null
  onclose: (() => void) | null = null
  constructor(readonly url: string) {
    FakeSocket.opened.push(this)
  }
  send(text: string): void {
    this.sent.push(text)
  }
  close(): void {
    this.onclose?.()
  }
  brings(doc: Doc): void {
    this.onmessage?.({ data: JSON.stringify(doc) })
  }
}

const ok = (n: number, pending = false): Answer<Doc> => ({ kind: 'ok', value: { id: 'd', n }, etag: null, ...(pending ? { pending } : {}) })

function followed(ask: FollowPorts<Doc>['ask']) {
  const said: string[] = []
  const following = follow<Doc>({
    url: 'wss://relay/live',
    token: 'secret',
    ask,
    onValue: ({ n }) => said.push(`value ${n}`),
    onLink: (up) => said.push(up ? 'up' : 'down'),
    onRefused: ({ problem }) => said.push(`refused ${problem.code}`),
  })
  return { said, following }
}
const settle = () => vi.advanceTimersByTimeAsync(0)

beforeEach(() => {
  vi.useFakeTimers()
  FakeSocket.opened = []
  vi.stubGlobal('WebSocket', FakeSocket)
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('following one document', () => {
  it('shows its token first, and takes what the socket brings', async () => {
    const { said, following } = followed(() => Promise.resolve(ok(1)))
    following.start()
    await settle()
    const [socket] = FakeSocket.opened
    socket?.onopen?.()
    socket?.brings({ id: 'd', n: 2 })
    expect(socket?.sent).toEqual(['{"token":"secret"}'])
    expect(said).toEqual(['up', 'value 1', 'up', 'value 2'])
    following.stop()
  })
  it('a slow answer does not cover what the socket brought meanwhile', async () => {
    let answer: (got: Answer<Doc>) => void = () => undefined
    const { said, following } = followed(() => new Promise((resolve) => (answer = resolve)))
    following.start()
    FakeSocket.opened[0]?.brings({ id: 'd', n: 2 })
    answer(ok(1))
    await settle()
    expect(said.filter((text) => text.startsWith('value'))).toEqual(['value 2'])
    following.stop()
  })
  it('has nothing to show of what is pending', async () => {
    const { said, following } = followed(() => Promise.resolve(ok(1, true)))
    following.start()
    await settle()
    expect(said).toEqual(['up'])
    following.stop()
  })
  it('opens again after a cut, and asks meanwhile', async () => {
    const answers: Answer<Doc>[] = [ok(1), { kind: 'away' }, ok(3)]
    const { said, following } = followed(() => Promise.resolve(answers.shift() ?? ok(9)))
    following.start()
    await settle()
    FakeSocket.opened[0]?.onclose?.()
    await vi.advanceTimersByTimeAsync(2_000)
    expect(FakeSocket.opened.length).toBe(2)
    FakeSocket.opened[1]?.onclose?.()
    await vi.advanceTimersByTimeAsync(4_000)
    expect(said).toEqual(['up', 'value 1', 'down', 'up', 'value 3'])
    following.stop()
  })
  it('asks now and then although the socket is silent', async () => {
    let n = 0
    const { said, following } = followed(() => Promise.resolve(ok((n += 1))))
    following.start()
    await vi.advanceTimersByTimeAsync(41_000)
    expect(said.filter((text) => text.startsWith('value'))).toEqual(['value 1', 'value 2', 'value 3'])
    following.stop()
  })
  it('is silent once it is stopped', async () => {
    const { said, following } = followed(() => Promise.resolve(ok(1)))
    following.start()
    following.stop()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(said).toEqual([])
    expect(FakeSocket.opened.length).toBe(1)
  })
  it('tells a refusal', async () => {
    const problem = { type: '', title: '', status: 404, code: 'unknown_order', detail: '', field: null, remedy: null }
    const { said, following } = followed(() => Promise.resolve({ kind: 'refused', problem }))
    following.start()
    await settle()
    expect(said).toEqual(['up', 'refused unknown_order'])
    following.stop()
  })
})
