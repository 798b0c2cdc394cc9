import { expect, it } from 'vitest'
import { age } from './ticket_age'

const S = 1_000
const rows: [string, number, number, number, ReturnType<typeof age>][] = [
  ['new', 0, 480, 0, { state: 'fresh', ms: 0, part: 0, overMinutes: 0 }],
  ['half way', 0, 480, 240 * S, { state: 'fresh', ms: 240 * S, part: 0.5, overMinutes: 0 }],
  ['just before the estimate', 0, 480, 480 * S - 1, { state: 'fresh', ms: 480 * S - 1, part: (480 * S - 1) / (480 * S), overMinutes: 0 }],
  ['at the estimate: warn', 0, 480, 480 * S, { state: 'warn', ms: 480 * S, part: 1, overMinutes: 0 }],
  ['just before one and a half: still warn', 0, 480, 720 * S - 1, { state: 'warn', ms: 720 * S - 1, part: 1, overMinutes: 3 }],
  ['at one and a half: late', 0, 480, 720 * S, { state: 'late', ms: 720 * S, part: 1, overMinutes: 4 }],
  ['late by less than a minute says one', 0, 60, 90 * S, { state: 'late', ms: 90 * S, part: 1, overMinutes: 1 }],
  ['not due yet', 1_000 * S, 480, 0, { state: 'fresh', ms: 0, part: 0, overMinutes: 0 }],
  ['without an estimate it has five minutes', 0, 0, 300 * S, { state: 'warn', ms: 300 * S, part: 1, overMinutes: 0 }],
]
it.each(rows)('%s', (_name, start, estimate, now, expected) => expect(age(start, estimate, now)).toEqual(expected))
