import { describe, expect, it } from 'vitest'
import type { Sized } from './columns'
import { columnsFor, layout } from './columns'

const SHEET = { columns: 2, height: 100, gap: 10, continuedHeader: 8, continuesFooter: 6 }
const ticket = (key: string, rows: number[], header = 20, footer = 10): Sized => ({ key, header, rows, footer })
/** `key[from-to)@column,y+height`, with `<` for a continued and `>` for a continuing part; pages apart. */
const show = (tickets: Sized[], sheet = SHEET) =>
  layout(tickets, sheet).map(({ fragments }) => fragments.map((f) => `${f.first ? '' : '<'}${f.key}[${f.from}-${f.to})@${f.column},${f.y}+${f.height}${f.last ? '' : '>'}`).join(' '))

describe('layout', () => {
  it('stacks what fits', () => expect(show([ticket('a', [10]), ticket('b', [10])])).toEqual(['a[0-1)@0,0+40 b[0-1)@0,50+40']))
  it('moves on rather than cut for a small hole', () => expect(show([ticket('a', [20, 20]), ticket('b', [20])])).toEqual(['a[0-2)@0,0+70 b[0-1)@1,0+50']))
  it('cuts where there is room, under a continued header', () => {
    expect(show([ticket('a', [5]), ticket('b', [10, 10, 10, 10])])).toEqual(['a[0-1)@0,0+35 b[0-2)@0,45+46> <b[2-4)@1,0+38'])
  })
  it('goes on over pages', () => {
    const pages = show([ticket('a', Array<number>(24).fill(10))])
    expect(pages).toEqual(['a[0-7)@0,0+96> <a[7-15)@1,0+94>', '<a[15-23)@0,0+94> <a[23-24)@1,0+28'])
  })
  it('does not leave a header alone, nor one row of several', () => expect(show([ticket('a', [30]), ticket('b', [25, 10, 10, 50])])).toEqual(['a[0-1)@0,0+60 b[0-3)@1,0+71>', '<b[3-4)@0,0+68']))
  it('gives a row that is taller than a column one of its own', () => expect(show([ticket('a', [10, 300, 10])])).toEqual(['a[0-1)@0,0+36> <a[1-2)@1,0+314>', '<a[2-3)@0,0+28']))
  it('takes a ticket without rows', () => expect(show([ticket('a', [])])).toEqual(['a[0-0)@0,0+30']))
  it('keeps a group’s header with its first ticket', () => {
    expect(show([ticket('a', [10]), { key: 'g', header: 30, rows: [], footer: 0, leads: true }, ticket('b', [10])])).toEqual(['a[0-1)@0,0+40 g[0-0)@1,0+30 b[0-1)@1,40+40'])
  })
  it('is nothing without tickets', () => expect(show([])).toEqual([]))
  it('loses no row and shows none twice', () => {
    const rows = (n: number) => Array.from({ length: n }, (_, index) => 8 + ((index * 7) % 30))
    const tickets = Array.from({ length: 60 }, (_, index) => ticket(`t${index}`, rows(index % 13)))
    for (const height of [60, 100, 333, 900]) {
      const seen = new Map<string, number>()
      for (const { fragments } of layout(tickets, { ...SHEET, height })) {
        for (const fragment of fragments) {
          expect(fragment.from).toBe(seen.get(fragment.key) ?? 0)
          seen.set(fragment.key, fragment.to)
        }
      }
      for (const { key, rows: own } of tickets) expect(seen.get(key)).toBe(own.length)
    }
  })
})

describe('columnsFor', () => {
  it.each([
    [1256, 4, 305],
    [1896, 6, 306],
    [1044, 3, 340],
    [390, 1, 340],
    [200, 1, 200],
  ])('%i pixels', (width, columns, each) => expect(columnsFor(width, 280, 340, 12)).toEqual({ columns, width: each }))
})
