/**
 * Configurations of others load without an error: the upstream default, what Debian generates, and the examples
 * of the experimental specification of 2014. Reading is held to a time as well.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { renderDiagnostic } from '../src/base/diagnostic-frame.ts'
import { fromBytes } from '../src/base/text.ts'
import type { Configuration } from '../src/language/config/configuration.ts'
import { authenticatorOptions } from '../src/language/config/options/authenticator.ts'
import { mainOptions } from '../src/language/config/options/main.ts'
import { routerOptions } from '../src/language/config/options/router.ts'
import type { OptionTable } from '../src/language/config/options/table.ts'
import { transportOptions } from '../src/language/config/options/transport.ts'
import type { DriverTable } from '../src/language/config/registries.ts'
import {
  debianConfiguration,
  debianRoot,
  type DebianType,
  debianTypes,
} from './support/debian-configuration.ts'
import { mistakes, readText } from './support/read.ts'
import { tableRegistries } from './support/registries.ts'

const debian = debianRoot()
const skip = 'missing' in debian ? debian.missing : false
const root = 'root' in debian ? debian.root : ''
const generate = (type: DebianType, split: boolean): string => debianConfiguration(root, type, split)

function assertLoads(text: string): Configuration {
  const configuration = readText(text)
  assert.equal(mistakes(configuration).map(renderDiagnostic).join('\n'), '')
  return configuration
}

test('the default configuration of Exim loads without an error', { skip }, () => {
  const text = fromBytes(readFileSync(join(root, 'usr/share/doc/exim4-base/examples/example.conf')))
  const { routers, transports, acls, retry } = assertLoads(text)
  assert.deepEqual(
    routers.map((router) => router.name),
    ['dnslookup', 'system_aliases', 'userforward', 'localuser'],
  )
  assert.equal(transports.size, 6)
  assert.deepEqual([...acls.keys()], ['acl_check_rcpt', 'acl_check_prdr', 'acl_check_data'])
  assert.equal(retry.length, 1)
})

for (const type of debianTypes) {
  for (const split of [false, true]) {
    test(`Debian's configuration of type ${type}, ${split ? 'split' : 'in one file'}, loads without an error`, {
      skip,
    }, () => {
      const { routers, transports } = assertLoads(generate(type, split))
      const remote = {
        internet: 'dnslookup',
        smarthost: 'smarthost',
        satellite: 'smarthost',
        local: 'nonlocal',
        none: 'system_aliases',
      }
      assert.ok(
        routers.some((router) => router.name === remote[type as keyof typeof remote]),
        type,
      )
      assert.ok(transports.has('remote_smtp'))
    })
  }
}

test("Debian's file of some two thousand lines is read in less than 100 ms", { skip }, () => {
  const text = generate('internet', true)
  assert.ok(text.split('\n').length > 1500)
  const times = [1, 2, 3, 4, 5].map(() => {
    const start = performance.now()
    readText(text)
    return performance.now() - start
  })
  assert.ok(Math.min(...times) < 100, `${times.map((time) => time.toFixed(1)).join(', ')} ms`)
})

/** The repository's root, above the build. */
function repository(): string {
  let folder = import.meta.dirname
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}

const specification = join(repository(), '../shared/reference/experimental-spec-2014.txt')
const skip2014 = existsSync(specification) ? false : 'the text of 2014 is not here'
const text2014 = skip2014 === false ? fromBytes(readFileSync(specification)) : ''

/** The text between two words, both left out. */
function between(start: string, end: string): string {
  const from = text2014.indexOf(start)
  assert.notEqual(from, -1, start)
  const to = text2014.indexOf(end, from + start.length)
  return text2014.slice(from + start.length, to)
}

test('the SPF examples of 2014 load without an error', { skip: skip2014 }, () => {
  const examples = [...text2014.matchAll(/\/\* -+\n([^]*?)\n-+ \*\//g)].map((match) => match[1] ?? '')
  assert.equal(examples.length, 4)
  const main = examples.filter((example) => /^\w+ = /.test(example))
  const statements = examples.filter((example) => !main.includes(example))
  const { acls, main: settings } = assertLoads(
    `${main.join('\n')}\nbegin acl\ncheck:\n${statements.join('\n')}\n`,
  )
  assert.equal(acls.get('check')?.lines.length, 7)
  assert.equal(settings.spf_guess, 'v=spf1 a/16 mx/16 ptr ?all')
})

test('the DMARC examples of 2014 load without an error', { skip: skip2014 }, () => {
  const rcpt = between('(RCPT ACL)\n', '(DATA ACL)\n')
  const data = between('(DATA ACL)\n', 'Transport post-delivery actions')
  const main =
    'dmarc_tld_file = /x/list\ndmarc_history_file = /x/history\ndmarc_forensic_sender = a@b.example\n'
  const { acls } = assertLoads(`${main}begin acl\nrcpt:\n${rcpt}\ndata:\n${data}`)
  assert.deepEqual([acls.get('rcpt')?.lines.length, acls.get('data')?.lines.length], [7, 16])
})

test('the delivery actions of 2014 load without an error', { skip: skip2014 }, () => {
  const actions = ['tpda_delivery_action', 'tpda_host_defer_action'].map(
    (name) => `  ${name} = \\\n${between(`${name} = \\\n`, '\n\n')}\n`,
  )
  const { transports } = assertLoads(`begin transports\nremote:\n  driver = smtp\n${actions.join('')}`)
  const action = transports.get('remote')?.settings.tpda_delivery_action
  assert.ok(action?.text.startsWith("${lookup pgsql {SELECT * FROM record_Delivery( '${quote_pgsql:"))
})

test('the Redis examples of 2014 load without an error', { skip: skip2014 }, () => {
  const servers = [...text2014.matchAll(/^redis_servers = .*$/gm)].map((match) => match[0])
  assert.equal(servers.length, 3)
  const lists = [...text2014.matchAll(/^(?:hostlist|domainlist) .*$/gm)].map((match) => match[0])
  assert.equal(lists.length, 2)
  const sets = [...text2014.matchAll(/^set acl_c_.*$/gm)].map((match) => `  warn ${match[0]}`)
  assert.equal(sets.length, 2)
  for (const server of servers) {
    const { acls, namedLists } = assertLoads(
      `${server}\nSPAMMER_SET = "SET SPAMMER 1"\n${lists.join('\n')}\nbegin acl\ncheck:\n${sets.join('\n')}\n`,
    )
    assert.ok(acls.get('check')?.lines[0]?.text.text.includes('${lookup redis{"SET SPAMMER 1"}}'))
    assert.equal(
      namedLists.host.get('relay_from_ips')?.value.text,
      '<\\n ${lookup redis{SMEMBERS relay_from_ips}}',
    )
  }
})

test('the PROXY examples of 2014 load without an error', { skip: skip2014 }, () => {
  const statements = between('in my connect ACL, I have:\n', '4. Runtime issues')
  const main =
    'HOSTLIST = 192.0.2.1\nproxy_required_hosts = HOSTLIST\nlog_selector = +proxy\nacl_smtp_connect = connect\n'
  const configuration = readText(`${main}begin acl\nconnect:\n${statements}`)
  const [renamed, ...others] = mistakes(configuration)
  assert.equal(renamed?.message, 'proxy_required_hosts is the name of 2014; today it is hosts_proxy')
  assert.deepEqual([renamed.severity, others], ['warning', []])
  assert.equal(configuration.main.hosts_proxy?.text, '192.0.2.1')
  assert.equal(configuration.acls.get('connect')?.lines.length, 9)
})

const names = join(repository(), '../shared/reference/exim-names.md')

test('every option name of Exim is a row', {
  skip: existsSync(names) ? false : 'the list of names is not here',
}, () => {
  const { routers, transports, authenticators } = tableRegistries
  const generic = { router: routerOptions, transport: transportOptions, authenticator: authenticatorOptions }
  const drivers: Readonly<Record<string, DriverTable>> = {
    router: routers,
    transport: transports,
    authenticator: authenticators,
  }
  const tableOf = (heading: string): OptionTable | undefined => {
    if (heading.startsWith('Main options')) return mainOptions
    const [, kind, driver] = /^(?:Generic )?(router|transport|authenticator)(?: (\w+))?/.exec(heading) ?? []
    if (kind === undefined) return undefined
    return heading.startsWith('Generic')
      ? generic[kind as keyof typeof generic]
      : drivers[kind]?.[driver ?? '']?.options
  }
  let table: OptionTable | undefined
  let counted = 0
  const missing: string[] = []
  for (const line of readFileSync(names, 'utf8').split('\n')) {
    if (line.startsWith('#')) table = line.startsWith('### ') ? tableOf(line.slice(4)) : undefined
    // Names of other things that were renamed since stand in a table of their own.
    if (line.startsWith('| 2014 name')) table = undefined
    const name = /^\| `(\w+)`/.exec(line)?.[1]
    if (name === undefined || table === undefined) continue
    counted++
    const known =
      Object.hasOwn(table, name) || Object.values(table).some((row) => Object.hasOwn(row.aliases ?? {}, name))
    if (!known) missing.push(name)
  }
  assert.deepEqual(missing, [])
  assert.ok(counted > 600, String(counted))
})
