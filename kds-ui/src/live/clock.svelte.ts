// The device's clock as a value that views follow, once a second.

export function ticking(everyMs = 1_000) {
  let now = $state(Date.now())
  $effect(() => {
    const timer = setInterval(() => (now = Date.now()), everyMs)
    return () => clearInterval(timer)
  })
  return {
    get now() {
      return now
    },
  }
}
