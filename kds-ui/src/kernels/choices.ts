// What may be chosen from a modifier group, counted with repeats, as the node checks it.
import type { GroupJson, PlaceChoiceJson } from '../generated/api'

/** As the node's `CHOICE_COUNT_MAX`. */
const COUNT_MAX = 20

export type GroupState = { state: 'ok'; chosen: number } | { state: 'missing'; chosen: number; more: number } | { state: 'over'; chosen: number; less: number }

export function chosenIn(group: GroupJson, choices: readonly PlaceChoiceJson[]): number {
  return choices.reduce((sum, choice) => (choice.group === group.id ? sum + choice.count : sum), 0)
}

export function groupState(group: GroupJson, choices: readonly PlaceChoiceJson[]): GroupState {
  const chosen = chosenIn(group, choices)
  if (chosen < group.min) return { state: 'missing', chosen, more: group.min - chosen }
  if (chosen > group.max) return { state: 'over', chosen, less: chosen - group.max }
  return { state: 'ok', chosen }
}

export function firstUnmet(groups: readonly GroupJson[], choices: readonly PlaceChoiceJson[]): GroupJson | null {
  return groups.find((group) => groupState(group, choices).state !== 'ok') ?? null
}

export function countOf(choices: readonly PlaceChoiceJson[], group: string, option: string): number {
  return choices.find((choice) => choice.group === group && choice.option === option)?.count ?? 0
}

/** Whether one more of this option would still be within the group. */
export function mayAdd(group: GroupJson, option: string, choices: readonly PlaceChoiceJson[]): boolean {
  return chosenIn(group, choices) < group.max && countOf(choices, group.id, option) < COUNT_MAX
}

/** Sets how often an option is chosen. Of a group that takes one, the other choice is given up. */
export function choose(group: GroupJson, option: string, count: number, choices: readonly PlaceChoiceJson[]): PlaceChoiceJson[] {
  const single = group.max === 1
  const others = choices.filter((choice) => choice.group !== group.id || (!single && choice.option !== option))
  const room = single ? 1 : group.max - chosenIn(group, others)
  const kept = Math.max(0, Math.min(count, room, COUNT_MAX))
  if (kept === 0) return others
  const before = choices.findIndex((choice) => choice.group === group.id && choice.option === option)
  const chosen = { group: group.id, option, count: kept }
  if (before < 0 || single) return [...others, chosen]
  return choices.map((choice, index) => (index === before ? chosen : choice))
}
