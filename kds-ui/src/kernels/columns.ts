// Lays tickets into columns. A ticket that does not fit goes on in the next column under a "continued" header instead of scrolling.

/** Heights in pixels, measured. */
export type Sized = {
  key: string
  header: number
  rows: readonly number[]
  footer: number
  /** A header over what follows: it never stands last in a column. */
  leads?: boolean
}

export type Fragment = {
  key: string
  column: number
  y: number
  height: number
  /** Rows `from` up to, not including, `to`. */
  from: number
  to: number
  /** It has the ticket's header; otherwise the "continued" one. */
  first: boolean
  /** It has the ticket's footer; otherwise a "continues" mark. */
  last: boolean
}

export type Sheet = { columns: number; height: number; gap: number; continuedHeader: number; continuesFooter: number }

export type Page = { fragments: Fragment[] }

/** A hole of up to this part of a column is left rather than a ticket cut. */
const HOLE_MAX = 0.25

export function layout(tickets: readonly Sized[], sheet: Sheet): Page[] {
  const pages: Page[] = []
  let column = 0
  let y = 0
  const nextColumn = () => {
    column += 1
    y = 0
  }
  const put = (fragment: Omit<Fragment, 'column' | 'y'>) => {
    const page = Math.floor(column / sheet.columns)
    while (pages.length <= page) pages.push({ fragments: [] })
    pages[page]?.fragments.push({ ...fragment, column: column % sheet.columns, y })
    y += fragment.height + sheet.gap
  }
  for (const [index, ticket] of tickets.entries()) {
    const whole = ticket.header + sum(ticket.rows) + ticket.footer
    const next = tickets[index + 1]
    if (ticket.leads && next && y > 0) {
      const begun = next.header + sum(next.rows.slice(0, 2)) + (next.rows.length > 2 ? sheet.continuesFooter : next.footer)
      if (y + whole + sheet.gap + begun > sheet.height) nextColumn()
    }
    if (y + whole <= sheet.height) {
      put({ key: ticket.key, height: whole, from: 0, to: ticket.rows.length, first: true, last: true })
      continue
    }
    const hole = sheet.height - y
    if (y > 0 && whole <= sheet.height && hole <= HOLE_MAX * sheet.height) {
      nextColumn()
      put({ key: ticket.key, height: whole, from: 0, to: ticket.rows.length, first: true, last: true })
      continue
    }
    split(ticket)
  }
  return pages

  function split(ticket: Sized): void {
    let from = 0
    while (from < ticket.rows.length || from === 0) {
      const first = from === 0
      const head = first ? ticket.header : sheet.continuedHeader
      let to = from
      let height = head
      while (to < ticket.rows.length) {
        const row = ticket.rows[to] ?? 0
        const tail = to + 1 === ticket.rows.length ? ticket.footer : sheet.continuesFooter
        if (y + height + row + tail > sheet.height) break
        height += row
        to += 1
      }
      // A header alone, or a single row of several, says nothing: it goes to the next column. An empty column takes at least one row, however tall.
      const few = to - from < Math.min(2, ticket.rows.length - from)
      if (few && y > 0) {
        nextColumn()
        continue
      }
      if (to === from && to < ticket.rows.length) {
        height += ticket.rows[to] ?? 0
        to += 1
      }
      const last = to >= ticket.rows.length
      put({ key: ticket.key, height: height + (last ? ticket.footer : sheet.continuesFooter), from, to, first, last })
      if (last) return
      from = to
      nextColumn()
    }
  }
}

function sum(values: readonly number[]): number {
  let total = 0
  for (const value of values) total += value
  return total
}

/** How many columns of at least `min` and at most `max` pixels fit, and how wide each is. */
export function columnsFor(width: number, min: number, max: number, gap: number): { columns: number; width: number } {
  const columns = Math.max(1, Math.floor((width + gap) / (min + gap)))
  return { columns, width: Math.max(1, Math.min(columns === 1 ? Math.max(max, min) : max, Math.floor((width - (columns - 1) * gap) / columns))) }
}
