/**
 * The world of `worlds.ts` as data: what the files and the configuration say at a moment, how that changes, and where an address
 * leads to in it. The configuration is written from the same data.
 */
import { createRandom, type Random } from '../fuzz/random.ts'

export const redirectDomains = ['r0.test', 'r1.test', 'r2.test'] as const
const finalDomains = ['s.test', 't.test', 'l.test', 'b.test', 'p.test', 'm.test'] as const
const localParts = ['one', 'two', 'three', 'four', 'five'] as const
/** Senders, and those whom errors of lists go to: what comes there is a bounce. */
export const backDomain = 'back.test'
export const owner = `owner@${backDomain}`

/** What files say: each attempt reads them anew. */
export interface Files {
  readonly aliases: Readonly<Record<string, readonly string[]>>
  readonly lists: Readonly<Record<string, readonly string[]>>
  /** Routers whose `condition` asks for a file. */
  readonly on: readonly string[]
}

/** What the configuration says. */
export interface Configuration {
  readonly options: Readonly<Record<string, string>>
  /** Which transport the addresses of a domain get. */
  readonly transports: Readonly<Record<string, string>>
  /** A local part of l.test that the router of this domain does not take. */
  readonly except: string
  readonly archive: boolean
  readonly renamed: string
  readonly smtp: string
  readonly hosts: string
  readonly batch: number
  readonly parallel: number
  /** What waits for t.test is given up soon. */
  readonly short: boolean
  readonly shadow: string
}

export interface World {
  readonly files: Files
  readonly configuration: Configuration
}

const redirectOptions = [
  '',
  '',
  'one_time',
  'unseen',
  'repeat_use = false',
  'check_ancestor',
  'redirect_router = local',
  `errors_to = ${owner}`,
  'condition = SWITCH',
  'condition = SWITCH\n  unseen',
  'address_data = $local_part\n  headers_add = X-Of: $local_part',
] as const

export function randomFiles(random: Random, before?: Files): Files {
  const { below, pick } = random
  if (before !== undefined && Object.keys(before.aliases).length > 0 && below(4) > 0)
    return changedFiles(random, before)
  const aliases: Record<string, readonly string[]> = {}
  for (let i = 2 + below(6); i >= 0; i--)
    aliases[`${pick(localParts)}@${pick(redirectDomains)}`] = randomItems(random)
  return {
    aliases,
    lists: Object.fromEntries(['list1', 'list2'].map((name) => [name, randomMembers(random)])),
    on: redirectDomains.filter(() => below(2) === 0),
  }
}

function changedFiles(random: Random, before: Files): Files {
  const { below, pick } = random
  const name = pick(Object.keys(before.aliases))
  const { [name]: items = [], ...others } = before.aliases
  switch (below(8)) {
    case 0:
      return { ...before, aliases: others }
    case 1:
      return { ...before, aliases: { ...before.aliases, [name]: randomItems(random) } }
    case 2:
      return {
        ...before,
        aliases: { ...before.aliases, [`${pick(localParts)}@${pick(redirectDomains)}`]: randomItems(random) },
      }
    case 3:
      return { ...before, aliases: { ...before.aliases, [name]: [...items.slice(1), randomAddress(random)] } }
    case 4: {
      // A target becomes a list itself.
      const target = pick(items)
      if (!/^\w+@r\d\.test$/.test(target)) break
      return { ...before, aliases: { ...before.aliases, [target]: randomItems(random) } }
    }
    case 5: {
      const list = pick(Object.keys(before.lists))
      return { ...before, lists: { ...before.lists, [list]: randomMembers(random) } }
    }
    case 6:
      return { ...before, aliases: { ...before.aliases, [name]: [':defer: later'] } }
    default:
      break
  }
  const domain = pick(redirectDomains)
  const on = before.on.includes(domain) ? before.on.filter((one) => one !== domain) : [...before.on, domain]
  return { ...before, on }
}

export function randomConfiguration(random: Random, before?: Configuration): Configuration {
  const { below, pick } = random
  const whole: Configuration = {
    options: Object.fromEntries(redirectDomains.map((domain) => [domain, pick(redirectOptions)])),
    transports: {
      'l.test': pick(['t_maildir', 't_mbox', 't_smtp', 't_pipe']),
      'b.test': pick(['t_batch', 't_batch', 't_lmtp']),
      't.test': pick(['t_smtp', 't_smtp2', 't_maildir']),
    },
    except: pick(['', '', 'two', 'three']),
    archive: below(2) === 0,
    renamed: pick(['', 'new_']),
    smtp: pick(['', 'max_rcpt = 1', 'max_rcpt = 2', 'connection_max_messages = 1', 'multi_domain = false']),
    hosts: pick(['127.0.0.1', '127.0.0.2:127.0.0.1', '127.0.0.1:127.0.0.2']),
    batch: 1 + below(3),
    parallel: pick([1, 2, 4]),
    short: below(12) === 0,
    shadow: pick(['', '', 'shadow_transport = t_shadow']),
  }
  if (before === undefined || below(3) === 0) return whole
  // One thing is another.
  const key = pick(Object.keys(whole).filter((each) => each !== 'options'))
  const domain = pick(redirectDomains)
  if (below(3) === 0)
    return { ...before, options: { ...before.options, [domain]: whole.options[domain] ?? '' } }
  return { ...before, [key]: whole[key as keyof Configuration] }
}

export function randomAddress({ below, pick }: Random): string {
  const domain = below(5) < 2 ? pick(redirectDomains) : pick(finalDomains)
  return `${pick(localParts)}@${domain}`
}

function randomMembers(random: Random): string[] {
  return Array.from({ length: 1 + random.below(3) }, () => randomAddress(random))
}

function randomItems(random: Random): string[] {
  const { below, pick } = random
  const special = below(16)
  if (special === 0) return [':blackhole:']
  if (special === 1) return [':fail: gone']
  if (special === 2) return [':defer: later']
  const items = randomMembers(random)
  if (below(5) === 0)
    items.push(
      pick([':include:FOLDER/lists/list1', ':include:FOLDER/lists/list2', 'FOLDER/box/file', '|pipe']),
    )
  if (below(16) === 0) items.push(':fail: gone')
  return items
}

/** The recipients of a message. */
export function randomRecipients(random: Random, files: Files): string[] {
  const names = Object.keys(files.aliases)
  const one = (): string => {
    if (random.below(12) === 0) return `${random.pick(localParts)}@gone.test`
    return random.below(3) > 0 && names.length > 0 ? random.pick(names) : randomAddress(random)
  }
  return [...new Set(Array.from({ length: 1 + random.below(4) }, one))]
}

/** What must have happened for an address: `got`, or told to its sender. */
export type End = string

interface Way {
  readonly address: string
  readonly ancestors: readonly string[]
  /** Routers of redirections are behind it. */
  readonly late: boolean
}

/** What comes of an address at one router of redirections, or undefined when it has to wait. */
export interface Step {
  readonly ends: readonly End[]
  readonly below: readonly Way[]
  /** Its children take its place where they have to wait: they go on by themselves. */
  readonly oneTime: boolean
}

/** The end of an address that a list or the configuration fails. */
export const failEnd = (address: string): End => `fail ${address}`
export const archiveEnd = (address: string): End => `archive ${address}`

export const startOf = (address: string): Way => ({ address, ancestors: [], late: false })

export function stepOf({ files, configuration }: World, way: Way): Step | undefined {
  const { address, ancestors } = way
  const domain = address.slice(address.indexOf('@') + 1)
  const option = configuration.options[domain]
  const items = way.late || option === undefined ? undefined : itemsOf(files, address)
  const off = option?.includes('SWITCH') === true && !files.on.includes(domain)
  const used =
    ancestors.includes(address) ||
    (option === 'repeat_use = false' && ancestors.some((one) => one.endsWith(`@${domain}`)))
  if (items === undefined || option === undefined || off || used) return lastStep(configuration, way)
  const ends: End[] = []
  const below: Way[] = []
  for (const item of items) {
    if (item.startsWith(':defer:')) return undefined
    if (item.startsWith(':blackhole:')) continue
    if (item.startsWith(':fail:')) {
      ends.push(failEnd(address))
      break
    }
    if (!item.includes('@')) {
      // Forbidden under `one_time`; the bounce names it in words.
      if (option !== 'one_time') ends.push(item)
    } else {
      const itself = option === 'check_ancestor' && [address, ...ancestors].includes(item)
      below.push({
        address: itself ? address : item,
        ancestors: [address, ...ancestors],
        late: option.startsWith('redirect_router'),
      })
    }
  }
  if (!option.includes('unseen')) return { ends, below, oneTime: option === 'one_time' }
  const itself = lastStep(configuration, way)
  return { ends: [...ends, ...itself.ends], below, oneTime: false }
}

/** The members of a list, those of the lists in it included; undefined: there is none of this name. */
export function itemsOf({ aliases, lists }: Files, address: string): readonly string[] | undefined {
  return aliases[address]?.flatMap((item) => {
    const list = /^:include:FOLDER\/lists\/(\w+)/.exec(item)?.[1]
    return list === undefined ? [item] : (lists[list] ?? [])
  })
}

/** Behind the redirections: an address that a transport gets, or one that nobody knows. */
function lastStep(configuration: Configuration, { address, late }: Way): Step {
  const domain = address.slice(address.indexOf('@') + 1)
  const known = domain !== 'gone.test'
  const archived = configuration.archive && domain === 'l.test' && !late ? [archiveEnd(address)] : []
  return { ends: [...archived, known ? address : failEnd(address)], below: [], oneTime: false }
}

export interface Places {
  readonly folder: string
  readonly smtpPort: number
  readonly lmtpPort: number
}

const quoted = (text: string, folder: string): string => text.replaceAll('FOLDER', folder)

/** Text of the alias file of a domain. */
export function aliasFile({ aliases }: Files, domain: string, folder: string): string {
  return Object.entries(aliases)
    .filter(([name]) => name.endsWith(`@${domain}`))
    .map(([name, items]) => {
      const text = items.map((item) =>
        item.startsWith('|') ? `"|${folder}/deliver ${item.slice(1)}"` : item,
      )
      return `${name.slice(0, name.indexOf('@'))}: ${quoted(text.join(', '), folder)}\n`
    })
    .join('')
}

/** A process that was killed leaves its lock behind. */
const locks = 'lockfile_timeout = 5s\n  lock_retries = 3\n  lock_interval = 1s'

export function configurationText(c: Configuration, { folder, smtpPort, lmtpPort }: Places): string {
  const redirections = redirectDomains.map((domain) => {
    const name = domain.slice(0, 2)
    const options = (c.options[domain] ?? '')
      .replace('SWITCH', `\${if exists{${folder}/on/${name}}}`)
      .replace('= local', `= ${c.renamed}local`)
    return `${c.renamed}${name}:
  driver = redirect
  domains = ${domain}
  allow_fail
  allow_defer
  file_transport = t_file
  pipe_transport = t_special
  data = \${lookup{$local_part}lsearch{${folder}/aliases.${name}}}
  ${options}
`
  })
  const archive = c.archive
    ? `${c.renamed}archive:
  driver = accept
  domains = l.test
  unseen
  transport = t_archive
`
    : ''
  return `primary_hostname = mta.example
qualify_domain = mta.example
acl_smtp_rcpt = accept
smtp_accept_max = 0
smtp_accept_max_per_host = 0
smtp_accept_max_per_connection = 0
smtp_accept_queue_per_connection = 0
smtp_reserve_hosts =
untrusted_set_sender = *
delay_warning = 0s
host_lookup =
daemon_workers = 2
remote_max_parallel = ${c.parallel}
log_selector = +pid +received_recipients
begin routers
${redirections.join('')}${archive}back:
  driver = accept
  domains = ${backDomain} : mta.example
  transport = t_back
${remoteOrLocal('local', 'l.test', c, c.except === '' ? '' : `local_parts = !${c.except}`)}${remoteOrLocal('batch', 'b.test', c)}piped:
  driver = accept
  domains = p.test
  transport = t_pipe
mailboxes:
  driver = manualroute
  route_list = m.test 127.0.0.1
  self = send
  transport = t_lmtp
${remoteOrLocal('tees', 't.test', c)}smtp:
  driver = manualroute
  domains = ! gone.test
  route_list = * ${c.hosts}
  self = send
  transport = t_smtp
begin transports
${smtpTransport('t_smtp', smtpPort, c.smtp)}${smtpTransport('t_smtp2', smtpPort, '')}${smtpTransport('t_lmtp', lmtpPort, 'protocol = lmtp')}t_maildir:
  driver = appendfile
  directory = ${folder}/box/maildir
  maildir_format
  headers_add = X-Leaf: $local_part@$domain
  user = nobody
  quota = \${if exists{${folder}/full/maildir}{1K}{0}}
  ${c.shadow}
t_mbox:
  driver = appendfile
  file = ${folder}/box/mbox
  headers_add = X-Leaf: $local_part@$domain
  message_prefix = "\\nFrom here\\n"
  user = nobody
  ${locks}
  quota = \${if exists{${folder}/full/mbox}{1K}{0}}
t_file:
  driver = appendfile
  headers_add = X-Leaf: $address_file
  message_prefix = "\\nFrom here\\n"
  user = nobody
  ${locks}
t_batch:
  driver = appendfile
  file = ${folder}/box/batch
  use_bsmtp
  batch_max = ${c.batch}
  message_prefix = "\\nFrom here\\n"
  user = nobody
  ${locks}
t_archive:
  driver = appendfile
  file = ${folder}/box/archive
  headers_add = X-Leaf: archive $local_part@$domain
  message_prefix = "\\nFrom here\\n"
  user = nobody
  ${locks}
t_shadow:
  driver = appendfile
  file = ${folder}/box/shadow
  user = nobody
t_back:
  driver = appendfile
  directory = ${folder}/box/back
  maildir_format
  user = nobody
t_pipe:
  driver = pipe
  command = ${folder}/deliver
  environment = LEAF=$local_part@$domain
  temp_errors = 75
  user = nobody
t_special:
  driver = pipe
  environment = LEAF=|pipe
  temp_errors = 75
  user = nobody
begin retry
${c.short ? '*@t.test * F,4s,1s\nt.test * F,4s,1s\n127.0.0.1 * F,2h,1s\n' : ''}* * F,2h,1s
`
}

function remoteOrLocal(name: string, domain: string, c: Configuration, condition = ''): string {
  const transport = c.transports[domain] ?? ''
  const remote = /smtp|lmtp/.test(transport)
  const hosts = transport === 't_lmtp' ? '127.0.0.1' : c.hosts
  return `${c.renamed}${name}:
  driver = ${remote ? 'manualroute' : 'accept'}
  domains = ${domain}
  ${condition}
  ${remote ? `route_list = * ${hosts}\n  self = send` : ''}
  transport = ${transport}
`
}

function smtpTransport(name: string, port: number, options: string): string {
  return `${name}:
  driver = smtp
  port = ${port}
  allow_localhost
  hosts_avoid_tls = *
  hosts_try_fastopen =
  command_timeout = 2s
  data_timeout = 4s
  final_timeout = 4s
  connect_timeout = 2s
  ${options}
`
}

export { createRandom, type Random }
