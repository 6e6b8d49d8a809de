/** Whole configurations as sites have them: what a real Exim and Postern make of each, replies, log lines and delivered bytes. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { libraryPath } from './debian.ts'
import { addresses } from './recipes-network.ts'
import type { Played, Shown } from './recipes-play.ts'
import { playable, recipesFolder } from './recipes-servers.ts'
import { temporaryFolder } from './server.ts'

const program = process.env.POSTERN_TEST_EXIM4 ?? '/usr/sbin/exim4'

function whyNot(): string | false {
  if (!existsSync(program)) return 'no Exim on this machine to compare with'
  if (process.getuid?.() !== 0) return 'needs root for a network of its own'
  return spawnSync('unshare', ['-mn', 'true']).status === 0 ? false : 'unshare -mn is not allowed here'
}

/** `POSTERN_TEST_RECIPES=NAME,NAME` plays these alone. */
const only = process.env.POSTERN_TEST_RECIPES?.split(',')
/** What they need is fetched here: in the network of its own there is nowhere to fetch from. */
const all = readdirSync(recipesFolder)
  .filter((name) => only?.includes(name) !== false)
  .filter(playable)
  .sort()

/** Plays each recipe of one half; both halves may be played at once. */
export function compareRecipes(half: 0 | 1): void {
  const recipes = all.filter((_, i) => i % 2 === half)
  test('recipes: configurations of sites do with Postern what they do with Exim', {
    skip: recipes.length === 0 ? 'the other half has what is asked for' : whyNot(),
  }, async (t) => {
    const played = play(recipes)
    assert.deepEqual(
      played.map(({ recipe }) => recipe),
      recipes,
    )
    for (const { recipe, theirs, ours } of played) {
      await t.test(`recipe ${recipe}`, () => {
        for (const { step, said } of ours.steps) {
          if (step === 'postern check') assert.match(said, /: no errors, no warnings\n$/)
          else if (step.startsWith('postern ')) assert.equal(said, '', step)
        }
        assert.ok(ours.steps.some(({ step }) => step === 'postern check'))
        assert.ok(theirs.logs.mainlog !== undefined && theirs.logs.mainlog.length > 0)
        const told = differences(compared(ours), compared(theirs))
        assert.ok(told === '', told)
      })
    }
  })
}

function compared({ steps, ...rest }: Shown): Shown {
  return { steps: steps.filter(({ step }) => !step.startsWith('postern ')), ...rest }
}

/** What one of the two shows and the other does not, line by line; empty: they show the same, in the same order. */
function differences(ours: Shown, theirs: Shown): string {
  const parts: string[] = []
  for (const part of ['steps', 'logs', 'files', 'dialogues'] as const) {
    const [mine, his] = [textsOf(ours[part]), textsOf(theirs[part])]
    if (isDeepStrictEqual(mine, his)) continue
    const [more, less] = [without(mine, his), without(his, mine)]
    const told = [...linesOf('only Exim', less, more), ...linesOf('only Postern', more, less)]
    parts.push(`${part}\n${told.length === 0 ? 'the same in another order' : told.join('\n')}`)
  }
  return parts.join('\n\n')
}

/** Of texts that have a namesake among the others the lines that this one has not. */
function linesOf(who: string, texts: readonly string[], others: readonly string[]): string[] {
  return texts.map((text) => {
    const [name = '', ...lines] = text.split('\n')
    const namesake = others.find((other) => other.startsWith(`${name}\n`))
    const shown = namesake === undefined ? lines : without(lines, namesake.split('\n'))
    return `${who}: ${name}\n${shown.map((line) => `    ${line}\n`).join('')}`
  })
}

/** Each text with the name of the step or file that it belongs to. */
function textsOf(part: Shown[keyof Shown]): string[] {
  if (Array.isArray(part)) return part.map(({ step, said }) => `${step}\n${said}`)
  return Object.entries(part).flatMap(([name, texts]) => [texts].flat().map((text) => `${name}\n${text}`))
}

function without(texts: readonly string[], others: readonly string[]): string[] {
  const left = [...others]
  return texts.filter((text) => {
    const at = left.indexOf(text)
    if (at < 0) return true
    left.splice(at, 1)
    return false
  })
}

/**
 * A machine of its own: addresses, users, a name server, an Exim with the rights of an installed one, whose configuration
 * stands where both programs look for it.
 */
const machine = `set -e
ip link set lo up
for address in $ADDRESSES; do ip addr add "$address/32" dev lo; done
mkdir "$1/etc" "$1/bin" "$1/certs"
mount -t tmpfs -o mode=755 etc "$1/etc"
cp -a /etc/. "$1/etc/"
mount --bind "$1/etc" /etc
rm -f /etc/resolv.conf
printf 'nameserver 127.0.0.1\\noptions trust-ad\\n' > /etc/resolv.conf
mount -t tmpfs -o mode=755 home /home
for user in alice:2001 bob:2002 carol:2003; do
  name=\${user%:*}
  echo "$name:x:\${user#*:}:100:User $name,,,:/home/$name:/bin/sh" >> /etc/passwd
done
grep -q ^Debian-exim: /etc/passwd || echo Debian-exim:x:64001:64001::/nonexistent:/usr/sbin/nologin >> /etc/passwd
grep -q ^Debian-exim: /etc/group || echo Debian-exim:x:64001: >> /etc/group
mount -t tmpfs -o mode=755,suid bin "$1/bin"
cp "$EXIM" "$1/bin/exim4"
chmod 4755 "$1/bin/exim4"
printf '%s\\n' $LIBRARIES > /etc/ld.so.conf.d/00-test.conf
ldconfig
folder=$1
shift
exec "$@" "$folder/bin/exim4" "$folder" $RECIPES
`

function play(recipes: readonly string[]): readonly Played[] {
  const folder = temporaryFolder('recipes')
  try {
    const unpacked = join(dirname(program), 'usr', 'sbin', 'exim4')
    const helper = join(dirname(fileURLToPath(import.meta.url)), 'recipes-play.js')
    const { stdout, stderr } = spawnSync(
      'unshare',
      ['-mn', 'sh', '-c', machine, 'sh', folder.path, process.execPath, helper],
      {
        encoding: 'latin1',
        timeout: 1_140_000,
        maxBuffer: 1 << 26,
        env: {
          ...process.env,
          ADDRESSES: addresses.join(' '),
          EXIM: existsSync(unpacked) ? unpacked : program,
          LIBRARIES: libraryPath(dirname(program)).replaceAll(':', ' '),
          RECIPES: recipes.join(' '),
        },
      },
    )
    assert.ok(stdout.startsWith('['), stderr)
    const played: Played[] = JSON.parse(stdout)
    return played
  } finally {
    folder.remove()
  }
}
