// Two chimes that carry over a hood: rising for a new ticket, a double knock for something that changed. Silent until a person's tap arms them.

export type Chime = 'new' | 'changed'

const NOTES: Record<Chime, readonly { at: number; hertz: number; for: number }[]> = {
  new: [
    { at: 0, hertz: 784, for: 0.16 },
    { at: 0.15, hertz: 1046.5, for: 0.34 },
  ],
  changed: [
    { at: 0, hertz: 988, for: 0.1 },
    { at: 0.16, hertz: 988, for: 0.1 },
    { at: 0.36, hertz: 659, for: 0.12 },
    { at: 0.52, hertz: 659, for: 0.3 },
  ],
}

export function chimes() {
  let context: AudioContext | undefined
  return {
    /** Only a person's gesture may start sound; answers whether it did. */
    async arm(): Promise<boolean> {
      if (!('AudioContext' in window)) return false
      context ??= new AudioContext()
      await context.resume()
      return context.state === 'running'
    },
    async disarm(): Promise<void> {
      await context?.suspend()
    },
    play(chime: Chime): void {
      if (!context || context.state !== 'running') return
      for (const note of NOTES[chime]) {
        const start = context.currentTime + note.at
        const tone = new OscillatorNode(context, { type: 'triangle', frequency: note.hertz })
        const loudness = new GainNode(context, { gain: 0 })
        loudness.gain.setValueAtTime(0, start)
        loudness.gain.linearRampToValueAtTime(0.6, start + 0.015)
        loudness.gain.exponentialRampToValueAtTime(0.001, start + note.for)
        tone.connect(loudness).connect(context.destination)
        tone.start(start)
        tone.stop(start + note.for)
      }
    },
  }
}

/** Keeps the screen awake while it is armed and seen; browsers let go of the lock when the page is hidden. */
export function stayAwake() {
  let lock: WakeLockSentinel | undefined
  let wanted = false
  async function take(): Promise<void> {
    if (!wanted || document.visibilityState !== 'visible' || !('wakeLock' in navigator)) return
    try {
      lock = await navigator.wakeLock.request('screen')
    } catch (error) {
      console.warn('the screen may sleep', error)
    }
  }
  const again = () => void take()
  return {
    on(): void {
      wanted = true
      document.addEventListener('visibilitychange', again)
      void take()
    },
    off(): void {
      wanted = false
      document.removeEventListener('visibilitychange', again)
      void lock?.release()
    },
  }
}
