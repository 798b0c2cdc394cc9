// What the device keeps over a reload and a power cut: IndexedDB, written strictly where it is somebody's work.
const NAME = 'pilotlight'
const VERSION = 1

export type Kept = 'outbox' | 'cache'

let opened: Promise<IDBDatabase> | undefined

function database(): Promise<IDBDatabase> {
  opened ??= new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(NAME, VERSION)
    request.onupgradeneeded = () => {
      request.result.createObjectStore('outbox', { keyPath: 'id' })
      request.result.createObjectStore('cache')
    }
    request.onsuccess = () => {
      request.result.onversionchange = () => request.result.close()
      resolve(request.result)
    }
    request.onerror = () => reject(request.error ?? new Error('cannot open the device store'))
  }).catch((error: unknown) => {
    opened = undefined
    throw error
  })
  return opened
}

async function run<T>(store: Kept, mode: IDBTransactionMode, work: (objects: IDBObjectStore) => IDBRequest<T> | null): Promise<T | undefined> {
  const transaction = (await database()).transaction(store, mode, { durability: store === 'outbox' ? 'strict' : 'relaxed' })
  return new Promise((resolve, reject) => {
    const request = work(transaction.objectStore(store))
    // On its way now, and not when this page next has time: a page that is closed in the next moment has kept it all the same.
    if (mode === 'readwrite') transaction.commit?.()
    transaction.oncomplete = () => resolve(request?.result)
    transaction.onerror = () => reject(transaction.error ?? new Error('the device store refused'))
    transaction.onabort = () => reject(transaction.error ?? new Error('the device store gave up'))
  })
}

export async function allEntries<T>(): Promise<T[]> {
  return (await run<T[]>('outbox', 'readonly', (objects) => objects.getAll() as IDBRequest<T[]>)) ?? []
}

export async function putEntries(entries: readonly { id: string }[]): Promise<void> {
  await run('outbox', 'readwrite', (objects) => {
    for (const entry of entries) objects.put(entry)
    return null
  })
}

export async function dropEntries(ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await run('outbox', 'readwrite', (objects) => {
    for (const id of ids) objects.delete(id)
    return null
  })
}

export async function readCache<T>(key: string): Promise<T | undefined> {
  return run<T>('cache', 'readonly', (objects) => objects.get(key) as IDBRequest<T>)
}

export async function writeCache(key: string, value: unknown): Promise<void> {
  await run('cache', 'readwrite', (objects) => {
    objects.put(value, key)
    return null
  })
}
