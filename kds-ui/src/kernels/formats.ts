// How numbers, money and times are written. Pure: the time and the language are arguments.

const MINUTE = 60_000
const HOUR = 60 * MINUTE

const digitsOf = new Map<string, number>()
const formatOf = new Map<string, Intl.NumberFormat>()

/** How many digits of an amount come after the point. */
export function currencyDigits(currency: string): number {
  let digits = digitsOf.get(currency)
  if (digits === undefined) {
    digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2
    digitsOf.set(currency, digits)
  }
  return digits
}

/** An amount in minor units, written for a person: `$12.50`. */
export function money(minor: number, currency: string, language: string): string {
  const key = `${language} ${currency}`
  let format = formatOf.get(key)
  if (format === undefined) {
    format = new Intl.NumberFormat(language, { style: 'currency', currency, currencyDisplay: 'narrowSymbol' })
    formatOf.set(key, format)
  }
  return format.format(minor / 10 ** currencyDigits(currency))
}

/** Time since, on a ticket: `0:07`, `6:12`, and from an hour `1 h 05`. Never negative. */
export function elapsed(ms: number): string {
  const whole = Math.max(0, Math.floor(ms / 1000))
  const seconds = whole % 60
  const minutes = Math.floor(whole / 60)
  if (minutes < 60) return `${minutes}:${String(seconds).padStart(2, '0')}`
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')}`
}

/** Whole minutes between two times, never negative. */
export function minutesBetween(from: number, to: number): number {
  return Math.max(0, Math.floor((to - from) / MINUTE))
}

/** Clock time in the site's zone: `19:42`. */
export function clock(at: number, language: string, timeZone?: string): string {
  return new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', ...(timeZone ? { timeZone } : {}) }).format(at)
}

/** A time for a person: relative under an hour, the clock after. */
export function when(at: number, now: number, language: string, minutes: (n: number) => string, timeZone?: string): string {
  return now - at < HOUR ? minutes(minutesBetween(at, now)) : clock(at, language, timeZone)
}
