/** Each variable of Exim shows its fact. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isFailure } from '../src/base/outcome.ts'
import { textOf } from '../src/base/text.ts'
import { fullBench } from './support/full-context.ts'
import { factRows, machineRows, storedNames } from './support/variable-rows.ts'

const { expander, context } = fullBench(
  Object.fromEntries(
    [...storedNames, 'warn_message_delay', 'warn_message_recipient'].map((name) => [name, `stored ${name}`]),
  ),
)
const show = async (text: string): Promise<string> => {
  const value = await expander.expandText(text, context)
  return isFailure(value) ? `Failed: ${value.message}` : textOf(value)
}

for (const [name, value] of Object.entries(factRows))
  test(`variable $${name}`, async () => {
    assert.equal(await show(`$${name}`), value)
    // In braces, and as a condition.
    assert.equal(await show(`\${if def:${name}{\${${name}}}}`), value)
  })
for (const name of storedNames)
  test(`variable $${name}, which is stored`, async () =>
    assert.equal(await show(`$${name}`), `stored ${name}`))
for (const [name, form] of Object.entries(machineRows))
  test(`variable $${name}, of the machine`, async () => assert.match(await show(`$${name}`), form))

test("variables of the user: ACL's, routers', authenticators', captures", async () => {
  assert.equal(await show('$acl_c_name $acl_m_name $r_name'), 'acl c acl m router variable')
  assert.equal(await show('${if match{abc}{(b)(c)}{$0-$1-$2}}'), 'bc-b-c')
  context.variables.set('auth1', 'one')
  context.variables.set('regex1', 'group')
  assert.equal(await show('$auth1 $auth2 $regex1'), 'one  group')
})
