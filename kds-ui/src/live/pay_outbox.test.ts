import { describe, expect, it } from 'vitest'
import type { Answer } from '../api/ask'
import type { ProblemJson } from '../generated/api'
import type { CustomerOrderJson } from '../generated/relay'
import type { PayPorts, ToPay } from './pay_outbox'
import { payOutbox } from './pay_outbox'

const order = { id: 'o' } as CustomerOrderJson
const ok: Answer<CustomerOrderJson> = { kind: 'ok', value: order, etag: null }
const pending: Answer<CustomerOrderJson> = { ...ok, pending: true }
const away: Answer<CustomerOrderJson> = { kind: 'away' }
const problem: ProblemJson = { type: '', title: '', status: 402, code: 'declined', detail: '', field: null, remedy: null }
const declined: Answer<CustomerOrderJson> = { kind: 'refused', problem }
const toPay: ToPay = { site: 's', body: { id: 'o', quote: 'q', payment: 'p', card: { token: 'tok_ok' } } }

/** A device with its store and its locks; tabs are made on it. */
function device(answers: Answer<CustomerOrderJson>[]) {
  const said: string[] = []
  const sent: ToPay[] = []
  let kept: ToPay | null = toPay
  let chain: Promise<unknown> = Promise.resolve()
  let held = 0
  const ports = (name: string): PayPorts => ({
    kept: () => Promise.resolve(kept),
    place: (pay) => {
      sent.push(pay)
      return Promise.resolve(answers.shift() ?? ok)
    },
    onSending: () => said.push(`${name} sending`),
    onPending: () => said.push(`${name} pending`),
    onAway: () => said.push(`${name} away`),
    onElsewhere: () => said.push(`${name} elsewhere`),
    onPlaced: (placed) => {
      kept = null
      said.push(`${name} placed ${placed.id}`)
      return Promise.resolve()
    },
    onRefused: ({ code }) => {
      kept = null
      said.push(`${name} refused ${code}`)
      return Promise.resolve()
    },
    locked: async (work, onWait) => {
      if (held > 0) onWait()
      held += 1
      const turn = chain.then(work)
      chain = turn.catch(() => undefined)
      try {
        return await turn
      } finally {
        held -= 1
      }
    },
    wait: () => Promise.resolve(),
    random: () => 0,
  })
  return { said, sent, tab: (name: string) => payOutbox(ports(name)), drop: () => (kept = null) }
}

describe('paying', () => {
  it('sends the same order until it is answered', async () => {
    const phone = device([away, away, ok])
    await phone.tab('a').send()
    expect(phone.said).toEqual(['a sending', 'a away', 'a away', 'a placed o'])
    expect(new Set(phone.sent.map(({ body }) => body.id)).size).toBe(1)
    expect(phone.sent.length).toBe(3)
  })
  it('asks again while the bank thinks', async () => {
    const phone = device([pending, pending, ok])
    await phone.tab('a').send()
    expect(phone.said).toEqual(['a sending', 'a pending', 'a pending', 'a placed o'])
  })
  it('ends with a refusal', async () => {
    const phone = device([declined])
    await phone.tab('a').send()
    expect(phone.said).toEqual(['a sending', 'a refused declined'])
  })
  it('a double tap is sent once', async () => {
    const phone = device([ok])
    const tab = phone.tab('a')
    await Promise.all([tab.send(), tab.send()])
    expect(phone.sent.length).toBe(1)
  })
  it('of two tabs one sends, and the other finds it done', async () => {
    const phone = device([ok])
    await Promise.all([phone.tab('a').send(), phone.tab('b').send()])
    expect(phone.sent.length).toBe(1)
    expect(phone.said).toEqual(['b elsewhere', 'a sending', 'a placed o'])
  })
  it('what was given up meanwhile is not sent again', async () => {
    const phone = device([away])
    const tab = phone.tab('a')
    const sending = tab.send()
    phone.drop()
    await sending
    expect(phone.sent.length).toBeLessThanOrEqual(1)
    expect(phone.said.some((text) => text.includes('placed'))).toBe(false)
  })
})
