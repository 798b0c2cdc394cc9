import { describe, expect, it } from 'vitest'
import { clock, elapsed, minutesBetween, money, when } from './formats'

describe('money', () => {
  it.each([
    [1250, 'USD', 'en', '$12.50'],
    [0, 'USD', 'en', '$0.00'],
    [-80, 'USD', 'en', '-$0.80'],
    [1250, 'JPY', 'en', '¥1,250'],
    [1250, 'KWD', 'en', 'KWD\u00a01.250'],
    [123456789, 'USD', 'en', '$1,234,567.89'],
  ])('%i %s', (minor, currency, language, expected) => expect(money(minor, currency, language)).toBe(expected))
})

describe('elapsed', () => {
  it.each([
    [-5, '0:00'],
    [7_000, '0:07'],
    [372_999, '6:12'],
    [3_599_000, '59:59'],
    [3_600_000, '1 h 00'],
    [3_900_000, '1 h 05'],
  ])('%i ms', (ms, expected) => expect(elapsed(ms)).toBe(expected))
})

describe('times', () => {
  const at = Date.UTC(2026, 10, 20, 19, 42)
  it('writes the clock of the site', () => {
    expect(clock(at, 'en', 'UTC')).toBe('19:42')
    expect(clock(at, 'en', 'Europe/Rome')).toBe('20:42')
  })
  it('is relative under an hour and the clock after', () => {
    const minutes = (n: number) => `${n} min`
    expect(when(at, at + 4 * 60_000, 'en', minutes, 'UTC')).toBe('4 min')
    expect(when(at, at + 60 * 60_000 - 1, 'en', minutes, 'UTC')).toBe('59 min')
    expect(when(at, at + 60 * 60_000, 'en', minutes, 'UTC')).toBe('19:42')
  })
  it('never counts minutes back', () => expect(minutesBetween(60_000, 0)).toBe(0))
})
