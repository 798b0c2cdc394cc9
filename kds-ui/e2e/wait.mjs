// Waits for a condition, never for a while: asks again until it holds, and fails with its name when the time is up.
import { setTimeout as pause } from 'node:timers/promises'

const ASK_EVERY_MS = 25

export async function until(what, condition, withinMs = 10_000) {
  const end = Date.now() + withinMs
  let last
  for (;;) {
    last = await condition()
    if (last !== null && last !== undefined && last !== false) return last
    if (Date.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`)
    await pause(ASK_EVERY_MS)
  }
}
