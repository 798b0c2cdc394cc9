// Counts checks, bounds each, and says at the end how many passed.
const CHECK_MS = 60_000

export function checks() {
  let passed = 0
  const failed = []
  return {
    async check(name, work) {
      const start = Date.now()
      let timer
      try {
        await Promise.race([
          work(),
          new Promise((_, reject) => {
            timer = setTimeout(() => reject(new Error(`took longer than ${CHECK_MS} ms`)), CHECK_MS)
          }),
        ])
        passed += 1
        console.log(`ok   ${name} (${Date.now() - start} ms)`)
      } catch (error) {
        const message = error instanceof Error ? error.message : error
        failed.push(`${name}\n      ${message}`)
        console.log(`FAIL ${name}\n      ${message}`)
      } finally {
        clearTimeout(timer)
      }
    },
    end() {
      // Again, whole: whoever keeps only the last lines still learns what failed and how.
      for (const failure of failed) console.log(`failed: ${failure}`)
      console.log(`${passed} passed, ${failed.length} failed`)
      return failed.length === 0 && passed > 0
    },
  }
}

export function equal(actual, expected, what) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`)
}
