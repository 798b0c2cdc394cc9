// Pairing: a code and a name in, a token and a screen out.
import type { Answer } from '../../api/client'
import type { PairedJson } from '../../generated/api'
import type { Words } from '../../words'

export type Pairing =
  | { state: 'typing' }
  | { state: 'asking' }
  | { state: 'problem'; text: string; hint: string }
  | { state: 'paired'; device: PairedJson }

export function check(code: string, name: string, w: Words): Pairing {
  return code.trim() === '' || name.trim() === '' ? { state: 'problem', text: w.pairMissing, hint: '' } : { state: 'asking' }
}

export function afterAnswer(answer: Answer<PairedJson>, w: Words): Pairing {
  switch (answer.kind) {
    case 'ok':
      return { state: 'paired', device: answer.value }
    case 'refused':
      return { state: 'problem', text: answer.problem.detail || w.pairRefused, hint: answer.problem.remedy ?? w.pairRefusedHint }
    case 'away':
    case 'unchanged':
      return { state: 'problem', text: w.pairAway, hint: '' }
  }
}
