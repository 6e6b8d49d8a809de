/** Source: Exim manual, "Scanning MIME parts". */
import { isTainted, textOf } from '../../../base/text.ts'
import { decodePart, partOf } from '../../scanning/mime-part.ts'
import { isFolder, scanCopyOf } from '../../scanning/scan-copy.ts'
import { diskRefused } from '../scan-trouble.ts'
import { FALSE, type TextCondition, TRUE } from '../row.ts'

export const decode: TextCondition = {
  kind: 'condition',
  name: 'decode',
  doc: 'Decodes the MIME part at hand into a file; true when that worked.',
  since: '0.1',
  tier: 'B',
  manual: 'Content scanning at ACL time',
  argument: 'text',
  phases: { only: ['mime'] },
  async run({ context }, argument) {
    const name = textOf(argument).trim()
    if (/^(?:0|false)$/i.test(name)) return FALSE
    const part = partOf(context.message)
    const copy = scanCopyOf(context.message)
    if (part === undefined || copy === undefined) return FALSE
    const isDefault = name === '' || /^default$/i.test(name)
    if (!isDefault && isTainted(argument)) {
      const path = name.startsWith('/') ? name : `${copy.folder}/${name}`
      context.ports.log.panic(context.message?.id, `Tainted filename '${path}'`)
      return { is: 'defer' }
    }
    try {
      let target: string
      if (isDefault) target = copy.nextName()
      else if (!name.startsWith('/')) target = `${copy.folder}/${name}`
      else target = (await isFolder(name)) ? copy.nextName(name) : name
      await decodePart(part, target, context)
      return TRUE
    } catch (error) {
      return diskRefused('decode', error, context)
    }
  },
}
