/**
 * A world that changes between the attempts: what the random ones have shown, and some more of them:
 * `node dist/test/survival/changes-run.js` and `worlds-run.js` go on.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { deliveryWorld } from '../support/delivery-world.ts'
import { MemoryClaim, envelopeOf } from '../support/memory-claim.ts'
import { judgeChange, randomChange } from './changes.ts'

/** What a list of a.test or o.test holds in an attempt, and the local parts of l.test that have to wait in it (`archive`: the copies). */
interface Attempt {
  readonly aliases: Readonly<Record<string, string>>
  readonly waits?: readonly string[]
}

function configurationOf({ aliases, waits = [] }: Attempt, folder: string): string {
  const data = Object.entries(aliases).reduce(
    (otherwise, [name, items]) => `\${if eqi{$local_part}{${name}}{${items}}{${otherwise}}}`,
    '',
  )
  return `primary_hostname = mta.example
delay_warning =
begin routers
lists:
  driver = redirect
  domains = a.test
  allow_fail
  allow_defer
  data = ${data}
once:
  driver = redirect
  domains = o.test
  data = ${data}
  one_time
archive:
  driver = accept
  domains = u.test
  unseen
  transport = archive
local:
  driver = accept
  domains = l.test : u.test
  transport = box
begin transports
archive:
  driver = appendfile
  file = ${waits.includes('archive') ? '${if eq{1}{2}{x}fail}' : `${folder}/box`}
  headers_add = X-To: archive $local_part
box:
  driver = appendfile
  file = \${if inlist{$local_part}{${waits.join(':')}}{\${if eq{1}{2}{x}fail}}{${folder}/box}}
  headers_add = X-To: $local_part
begin retry
* * F,2h,15m
`
}

/** Plays the attempts, and the last one again until all is done; whom the message came to. */
async function play(recipients: readonly string[], attempts: readonly Attempt[]): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-changes-'))
  let claim = new MemoryClaim(envelopeOf({ recipients: recipients.map((address) => ({ address })) }), 'x\n')
  try {
    for (let i = 0; i < attempts.length + 2 && claim.state !== 'completed'; i++) {
      const last = attempts.at(-1)
      assert.ok(last)
      // Nothing waits in the end.
      const attempt = attempts[i] ?? { ...last, waits: [] }
      const world = deliveryWorld(configurationOf(attempt, folder))
      claim = new MemoryClaim(claim.envelope, 'x\n')
      await world.deliver(claim, { force: true })
      world.close()
    }
    assert.equal(claim.state, 'completed')
    return [...readFileSync(join(folder, 'box'), 'latin1').matchAll(/^X-To: (.*)$/gm)].map(
      ([, to = '']) => to,
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const cases: readonly {
  readonly says: string
  readonly recipients: readonly string[]
  readonly attempts: readonly Attempt[]
  readonly come: readonly string[]
}[] = [
  {
    says: 'a recipient that leads to :blackhole: and to what another waits for is not done when the other leads elsewhere later',
    recipients: ['one@a.test', 'two@a.test'],
    attempts: [
      { aliases: { one: 'x@l.test, hole@a.test', hole: ':blackhole:', two: 'one@a.test' }, waits: ['x'] },
      { aliases: { one: 'x@l.test', two: 'y@l.test' } },
    ],
    come: ['x', 'y'],
  },
  {
    says: 'a member that a list names twice, and that came in an attempt before, does not keep the message',
    recipients: ['one@a.test'],
    attempts: [{ aliases: { one: 'x@l.test, y@l.test, x@l.test' }, waits: ['y'] }],
    come: ['x', 'y'],
  },
  {
    says: 'the copy that unseen makes of a member of a one_time list waits, the member has got its own',
    recipients: ['one@o.test'],
    attempts: [{ aliases: { one: 'x@u.test' }, waits: ['archive'] }],
    come: ['archive x', 'x'],
  },
  {
    says: 'a list that failed at its end and has to wait as a whole later is not done',
    recipients: ['one@a.test'],
    attempts: [
      { aliases: { one: 'x@l.test, :fail: gone' }, waits: ['x'] },
      { aliases: { one: ':defer: later' } },
      { aliases: { one: 'x@l.test' } },
    ],
    come: ['x'],
  },
]
for (const { says, recipients, attempts, come } of cases)
  test(says, async () => assert.deepEqual((await play(recipients, attempts)).sort(), come))

test('random changes: what counts as done is done, nothing comes twice, nothing stays', async () => {
  for (let seed = 1; seed <= 25; seed++) {
    const wrong = await judgeChange(randomChange(seed))
    assert.deepEqual(wrong, [], `seed ${seed}: ${JSON.stringify(randomChange(seed))}\n${wrong.join('\n')}`)
  }
})
