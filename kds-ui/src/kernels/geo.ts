// Places on earth, as far as a phone needs them: typed positions, distances, a plain sketch.

export type Point = { lat: number; lon: number }

const EARTH_M = 6_371_000
const RADIANS = Math.PI / 180

/** `52.52, 13.40`, also with other separators; null when it is not a place on earth. */
export function parsePoint(text: string): Point | null {
  const parts = /^\s*(-?\d{1,3}(?:\.\d+)?)\s*[,;\s]\s*(-?\d{1,3}(?:\.\d+)?)\s*$/.exec(text)
  if (!parts) return null
  const point = { lat: Number(parts[1]), lon: Number(parts[2]) }
  return Math.abs(point.lat) <= 90 && Math.abs(point.lon) <= 180 ? point : null
}

export function pointText({ lat, lon }: Point): string {
  return `${lat.toFixed(4)}, ${lon.toFixed(4)}`
}

/** Along the surface, in metres. */
export function metresBetween(a: Point, b: Point): number {
  const dLat = (b.lat - a.lat) * RADIANS
  const dLon = (b.lon - a.lon) * RADIANS
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(a.lat * RADIANS) * Math.cos(b.lat * RADIANS) * Math.sin(dLon / 2) ** 2
  return 2 * EARTH_M * Math.asin(Math.min(1, Math.sqrt(h)))
}

/** `350 m`, `1.2 km`: no more exact than a person would say. */
export function far(metres: number, language: string, words: { metres: (n: string) => string; kilometres: (n: string) => string }): string {
  if (metres < 995) return words.metres(new Intl.NumberFormat(language).format(Math.max(0, Math.round(metres / 10) * 10)))
  return words.kilometres(new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(metres / 1_000))
}

export type Sketch = { /** Of the dot, each -1 to 1, north up. */ x: number; y: number; /** The ring at half the width. */ ringM: number; metres: number }

const RINGS_M = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000]

/** Where the rider's dot stands on a sketch with the home in its middle. */
export function sketch(home: Point, rider: Point): Sketch {
  const metres = metresBetween(home, rider)
  const ringM = RINGS_M.find((ring) => metres <= 1.7 * ring) ?? Math.max(1, metres)
  const north = (rider.lat - home.lat) * RADIANS * EARTH_M
  const east = (rider.lon - home.lon) * RADIANS * EARTH_M * Math.cos(home.lat * RADIANS)
  const within = (n: number) => Math.min(1, Math.max(-1, n))
  return { x: within(east / (2 * ringM)), y: within(-north / (2 * ringM)), ringM, metres }
}
