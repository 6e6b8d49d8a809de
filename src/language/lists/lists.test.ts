import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { policyBench } from '../../../test/support/policy-world.ts'
import { type Text, textOf } from '../../base/text.ts'
import { observed, observedLists } from './observed.ts'

/** The test data lie beside the sources, not beside the compiled tests. */
function findTestData(folder: string): string {
  const here = join(folder, 'src/language/lists/testdata')
  return existsSync(here) ? here : findTestData(dirname(folder))
}

const folder = mkdtempSync(join(tmpdir(), 'lists-'))
cpSync(findTestData(dirname(fileURLToPath(import.meta.url))), folder, { recursive: true })
after(() => rmSync(folder, { recursive: true }))

const placed = (text: string): string => text.replaceAll('{dir}', folder)
const bench = policyBench({ lists: observedLists.map(([kind, name, text]) => [kind, name, placed(text)]) })

for (const [kind, subject, list, value] of observed) {
  test(`Exim 4.96: ${kind} ${JSON.stringify(subject)} in ${JSON.stringify(list)}`, async () => {
    const context = {
      ...bench.context,
      captures: [] as (Text | undefined)[],
      address: { localPart: 'x', domain: 'y' },
    }
    const { ports } = context
    const result = await (kind === 'host'
      ? ports.matchListText('host', placed(list), { address: subject }, context, { addressesOnly: true })
      : ports.matchListText(kind, placed(list), subject, context))
    if (value === null) return assert.equal(result.is, 'no')
    assert.equal(result.is, 'match', JSON.stringify(result))
    if (result.is === 'match') assert.equal(textOf(result.data ?? ''), placed(value))
  })
}
