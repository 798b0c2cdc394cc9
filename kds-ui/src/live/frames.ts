// Frames are applied once a drawn frame: a burst costs one drawing, and nothing is later than the eye could see.

/** Collects, and hands over all at once just before the next drawing; at once-ish when the page is hidden. */
export function perFrame<T>(apply: (items: T[]) => void): (item: T) => void {
  let items: T[] = []
  let scheduled = false
  const flush = () => {
    scheduled = false
    const batch = items
    items = []
    apply(batch)
  }
  return (item) => {
    items.push(item)
    if (scheduled) return
    scheduled = true
    if (document.visibilityState === 'visible') requestAnimationFrame(flush)
    else setTimeout(flush, 0)
  }
}

/** Measures from `start` until the drawing that follows is on its way to the glass: the task after the frame's callbacks. */
export function measureDrawing(name: string, start: number): void {
  requestAnimationFrame(() => {
    const after = new MessageChannel()
    after.port1.onmessage = () => {
      performance.measure(name, { start, end: performance.now() })
      after.port1.close()
    }
    after.port2.postMessage(null)
  })
}
