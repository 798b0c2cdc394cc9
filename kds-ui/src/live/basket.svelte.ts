// The basket of this phone, the same in every tab: kept strictly, because in it is the id under which it is ordered.
import type { Basket } from '../screens/customer/model'
import { allEntries, dropEntries, putEntries } from './kept'

const ID = 'customer basket'
type Entry = { kind: 'basket'; id: typeof ID; basket: Basket }
type Told = { type: 'changed' } | { type: 'placed'; order: string }

export type KeptBasket = ReturnType<typeof keptBasket>

async function stored(): Promise<Basket | null> {
  const entry = (await allEntries<{ kind: string; id: string }>()).find((each): each is Entry => each.kind === 'basket')
  return entry?.basket ?? null
}

export function keptBasket(onChanged: () => void, onPlacedElsewhere: (order: string) => void) {
  let basket = $state.raw<Basket | null>(null)
  let writing: Promise<void> = Promise.resolve()
  const tabs = new BroadcastChannel('pilotlight basket')

  async function write(next: Basket | null): Promise<void> {
    try {
      const entry: Entry | null = next && { kind: 'basket', id: ID, basket: next }
      await (entry ? putEntries([entry]) : dropEntries([ID]))
    } catch (error) {
      console.warn('basket not kept on the device', error)
    }
  }

  /** Shown at once; the promise resolves when it is kept, in the sequence of the taps. */
  function set(next: Basket | null, placed: string | null = null): Promise<void> {
    basket = next
    writing = writing.then(async () => {
      await write(next)
      tabs.postMessage((placed === null ? { type: 'changed' } : { type: 'placed', order: placed }) satisfies Told)
    })
    return writing
  }

  async function load(): Promise<void> {
    try {
      basket = await stored()
    } catch (error) {
      console.warn('no kept basket', error)
    }
  }

  tabs.onmessage = ({ data }: MessageEvent<Told>) => {
    void load().then(() => (data.type === 'placed' ? onPlacedElsewhere(data.order) : onChanged()))
  }

  return {
    get value() {
      return basket
    },
    set,
    load,
    /** As it is on the device now, whichever tab wrote it; without a readable device, as this tab has it. */
    async read(): Promise<Basket | null> {
      await writing
      return stored().catch(() => basket)
    },
    stop(): void {
      tabs.close()
    },
  }
}
