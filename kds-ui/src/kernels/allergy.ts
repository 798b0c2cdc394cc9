// A note about an allergy is not a note like others: it gets a row of its own that nothing hides.

const ALLERGY = /allerg/i

export function isAllergy(note: string | null): boolean {
  return note != null && ALLERGY.test(note)
}

/** The notes of an order and its lines, sorted out; equal texts once. */
export function sortNotes(notes: readonly (string | null)[]): { allergies: string[]; plain: string[] } {
  const allergies = new Set<string>()
  const plain = new Set<string>()
  for (const note of notes) {
    const text = note?.trim()
    if (!text) continue
    if (isAllergy(text)) allergies.add(text)
    else plain.add(text)
  }
  return { allergies: [...allergies], plain: [...plain] }
}
