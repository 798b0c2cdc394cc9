// All-day counts: of each item, how many are still to be made in all open tickets.

export type Countable = {
  key: string
  lines: readonly { name: string; variant: string; quantity: number; done: boolean; voided: boolean }[]
}

export type AllDay = { key: string; name: string; variant: string; quantity: number; tickets: string[] }

export function allDay(tickets: readonly Countable[]): AllDay[] {
  const counts = new Map<string, AllDay>()
  for (const ticket of tickets) {
    for (const line of ticket.lines) {
      if (line.done || line.voided) continue
      const key = `${line.name}\u0000${line.variant}`
      let count = counts.get(key)
      if (count === undefined) {
        count = { key, name: line.name, variant: line.variant, quantity: 0, tickets: [] }
        counts.set(key, count)
      }
      count.quantity += line.quantity
      if (count.tickets[count.tickets.length - 1] !== ticket.key) count.tickets.push(ticket.key)
    }
  }
  return [...counts.values()].sort((a, b) => b.quantity - a.quantity || a.name.localeCompare(b.name) || a.variant.localeCompare(b.variant))
}
