import { describe, expect, it } from 'vitest'
import { far, metresBetween, parsePoint, pointText, sketch } from './geo'

const words = { metres: (n: string) => `${n} m`, kilometres: (n: string) => `${n} km` }

describe('a typed position', () => {
  it.each([
    ['52.52, 13.40', { lat: 52.52, lon: 13.4 }],
    [' -33.9 18.4 ', { lat: -33.9, lon: 18.4 }],
    ['1;2', { lat: 1, lon: 2 }],
    ['91, 0', null],
    ['0, 181', null],
    ['Main Street 5', null],
    ['52.52', null],
    ['', null],
  ])('%s', (text, point) => expect(parsePoint(text)).toEqual(point))
  it('is written short', () => expect(pointText({ lat: 52.520008, lon: 13.4 })).toBe('52.5200, 13.4000'))
})

describe('distances', () => {
  it('are right to a percent', () => {
    expect(metresBetween({ lat: 0, lon: 0 }, { lat: 0, lon: 1 }) / 111_195).toBeCloseTo(1, 2)
    expect(metresBetween({ lat: 52, lon: 13 }, { lat: 52, lon: 13 })).toBe(0)
  })
  it.each([
    [0, '0 m'],
    [346, '350 m'],
    [994, '990 m'],
    [999, '1 km'],
    [1_240, '1.2 km'],
  ])('%d', (metres, text) => expect(far(metres, 'en', words)).toBe(text))
})

describe('the sketch', () => {
  const home = { lat: 52.5, lon: 13.4 }
  it('puts north up and east to the right', () => {
    const north = sketch(home, { lat: 52.504, lon: 13.4 })
    expect([north.x, Math.sign(north.y), north.ringM]).toEqual([0, -1, 500])
    expect(sketch(home, { lat: 52.5, lon: 13.41 }).x).toBeGreaterThan(0)
  })
  it('keeps the dot on the paper, however far', () => {
    const there = sketch(home, { lat: -30, lon: 170 })
    expect(Math.abs(there.x)).toBeLessThanOrEqual(1)
    expect(Math.abs(there.y)).toBeLessThanOrEqual(1)
  })
})
