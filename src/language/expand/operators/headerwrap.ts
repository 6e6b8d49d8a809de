import { isFailure } from '../../../base/outcome.ts'
import { suffixNumbers, textOperator } from './kinds.ts'

/** `${headerwrap_80_998:...}`: columns after which a line is broken, and the most bytes of all. */
export const headerwrap = textOperator({
  name: 'headerwrap',
  doc: 'Breaks a long header at white space, with a tab before each further line.',
  since: '0.1',
  manual: 'Expansion operators',
  suffix: 'numbers',
  convert(text, _, suffix) {
    const numbers = suffixNumbers('headerwrap', suffix)
    if (isFailure(numbers)) return numbers
    const columns = suffix === '' ? 80 : numbers.first
    const limit = numbers.second ?? 998
    const lines: string[] = []
    let line = ''
    for (const word of text.slice(0, limit).split(/(?<=\s)(?=\S)/)) {
      if (line !== '' && line.length + word.trimEnd().length > columns) {
        lines.push(line.trimEnd())
        line = ''
      }
      line += word
    }
    lines.push(line)
    return lines.join('\n\t')
  },
})
