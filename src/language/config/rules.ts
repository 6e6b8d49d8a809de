/**
 * What Exim refuses while it reads because settings do not fit together, one row a rule. Sentences are Exim's;
 * which settings it refuses was observed on Exim 4.96.
 */
import { Expandable } from '../../base/expandable.ts'

/** The settings of one instance, asked by name. */
export interface View {
  readonly name: string
  /** Set to something: not unset, not switched off. */
  has(option: string): boolean
  /** Text of a setting; empty when unset. */
  text(option: string): string
  value(option: string): unknown
}

export interface Rule {
  readonly kind: 'router' | 'transport' | 'authenticator'
  /** Absent: for every driver. */
  readonly driver?: string
  /** The option that the caret points to; when it is not set, the name of the instance. */
  readonly option: string
  broken(view: View): boolean
  says(view: View): string
  readonly help: string
}

const selfWords = /^(?:freeze|defer|fail|send|pass|reroute:.*)$/
const hostFailWords = ['decline', 'defer', 'fail', 'freeze', 'ignore', 'pass']

export const rules: readonly Rule[] = [
  {
    kind: 'router',
    option: 'self',
    broken: (r) => r.text('self') !== '' && !selfWords.test(r.text('self')),
    says: (r) => `${r.name} router: ${r.text('self')} is not valid for the self option`,
    help: 'write freeze, defer, fail, send, pass, or reroute: domain',
  },
  ...['redirect', 'iplookup'].map((driver): Rule => {
    return {
      kind: 'router',
      driver,
      option: 'transport',
      broken: (r) => r.has('transport'),
      says: (r) => `${r.name} router: a transport must not be defined for this router`,
      help: `what a ${driver} router makes are addresses for the other routers`,
    }
  }),
  {
    kind: 'router',
    driver: 'redirect',
    option: 'data',
    broken: (r) => r.has('file') && r.has('data'),
    says: (r) => `${r.name} router: only one of "file" or "data" must be specified`,
    help: 'remove one of them',
  },
  {
    kind: 'router',
    driver: 'redirect',
    option: 'data',
    broken: (r) => !r.has('file') && !r.has('data'),
    says: (r) => `${r.name} router: one of "file" or "data" must be specified`,
    help: 'add "data = ..." or "file = ..."',
  },
  {
    kind: 'router',
    driver: 'redirect',
    option: 'one_time',
    broken: (r) => r.has('one_time') && r.text('unseen') !== 'false',
    says: (r) => `${r.name} router: "unseen" may not be used with "one_time"`,
    help: 'remove one of them',
  },
  {
    kind: 'router',
    driver: 'redirect',
    option: 'qualify_preserve_domain',
    broken: (r) => r.has('qualify_domain') && r.has('qualify_preserve_domain'),
    says: (r) => `${r.name} router: only one of "qualify_domain" or "qualify_preserve_domain" must be set`,
    help: 'remove one of them',
  },
  {
    kind: 'router',
    driver: 'manualroute',
    option: 'route_data',
    broken: (r) => r.has('route_list') === r.has('route_data'),
    says: (r) => `${r.name} router: route_list or route_data (but not both) must be specified`,
    help: 'keep one of them',
  },
  ...['host_find_failed', 'host_all_ignored'].map((option): Rule => {
    return {
      kind: 'router',
      driver: 'manualroute',
      option,
      broken: (r) => r.text(option) !== '' && !hostFailWords.includes(r.text(option)),
      says: (r) => `${r.name} router: unrecognized setting for ${option} option`,
      help: `write ${hostFailWords.join(', ')}`,
    }
  }),
  {
    kind: 'router',
    driver: 'queryprogram',
    option: 'command',
    broken: (r) => !r.has('command'),
    says: (r) => `${r.name} router: a command specification is required`,
    help: 'add "command = /path/to/program"',
  },
  {
    kind: 'router',
    driver: 'queryprogram',
    option: 'command',
    broken: (r) => !r.has('command_user'),
    says: (r) => `${r.name} router: command_user must be specified`,
    help: 'add "command_user = name"',
  },
  {
    kind: 'router',
    driver: 'iplookup',
    option: 'port',
    broken: (r) => !(Number(r.value('port') ?? 0) > 0),
    says: (r) => `${r.name} router: a port must be specified`,
    help: 'add "port = number"',
  },
  {
    kind: 'transport',
    option: 'headers_only',
    broken: (t) => t.has('body_only') && t.has('headers_only'),
    says: (t) => `${t.name} transport: body_only and headers_only are mutually exclusive`,
    help: 'remove one of them',
  },
  ...['appendfile', 'autoreply', 'lmtp', 'pipe'].map((driver): Rule => {
    return {
      kind: 'transport',
      driver,
      option: 'user',
      broken: (t) => /^\d+$/.test(t.text('user')) && !t.has('group'),
      says: (t) => `user set without group for the ${t.name} transport`,
      help: 'a user given by number brings no group: add "group = name"',
    }
  }),
  {
    kind: 'transport',
    driver: 'smtp',
    option: 'shadow_transport',
    broken: (t) => t.has('shadow_transport'),
    says: (t) => `shadow transport not allowed on non-local transport ${t.name}`,
    help: 'only transports that deliver on this machine may have a shadow',
  },
  ...['command_timeout', 'data_timeout', 'final_timeout'].map((option): Rule => {
    return {
      kind: 'transport',
      driver: 'smtp',
      option,
      broken: (t) => t.value(option) === 0,
      says: (t) => `command, data, or final timeout value is zero for ${t.name} transport`,
      help: 'give a time, or leave the default',
    }
  }),
  {
    kind: 'transport',
    driver: 'appendfile',
    option: 'directory',
    broken: (t) => t.has('file') && t.has('directory'),
    says: () => 'only one of "file" or "directory" can be specified',
    help: 'remove one of them',
  },
  {
    kind: 'transport',
    driver: 'appendfile',
    option: 'mailstore_format',
    broken: (t) => t.has('maildir_format') && t.has('mailstore_format'),
    says: () => 'only one of maildir and mailstore may be specified',
    help: 'remove one of them',
  },
  {
    kind: 'transport',
    driver: 'appendfile',
    option: 'quota_filecount',
    broken: (t) => t.text('quota_filecount') !== '0' && !t.has('directory'),
    says: () => 'quota_filecount must not be set without "directory"',
    help: 'one file holds all messages: quota = 100M limits its size',
  },
  {
    kind: 'transport',
    driver: 'appendfile',
    option: 'quota_filecount',
    broken: (t) => t.text('quota_filecount') !== '0' && t.has('directory') && !t.has('quota'),
    says: () => 'quota must be set if quota_filecount is set',
    help: 'quota = 0 limits the number of files alone',
  },
  {
    kind: 'transport',
    driver: 'appendfile',
    option: 'use_lockfile',
    broken: (t) =>
      t.value('use_lockfile') === false && t.value('use_fcntl_lock') === false && !t.has('use_flock_lock'),
    says: () => 'no locking configured',
    help: 'programs that write a mailbox at the same time destroy it: leave use_fcntl_lock and use_lockfile as they are',
  },
  {
    kind: 'transport',
    driver: 'appendfile',
    option: 'create_file',
    broken: (t) =>
      !['', 'anywhere', 'belowhome', 'inhome'].includes(t.text('create_file')) &&
      !t.text('create_file').startsWith('/'),
    says: (t) =>
      `invalid value given for "create_file" for the ${t.name} transport: '${t.text('create_file')}'`,
    help: 'write anywhere, inhome, belowhome or a directory',
  },
  {
    kind: 'transport',
    driver: 'pipe',
    option: 'use_shell',
    broken: (t) => t.has('restrict_to_path') && t.has('use_shell'),
    says: (t) => `both restrict_to_path and use_shell set for ${t.name} transport`,
    help: 'a shell could run anything: remove one of them',
  },
  {
    kind: 'transport',
    driver: 'pipe',
    option: 'use_shell',
    broken: (t) => t.has('allow_commands') && t.has('use_shell'),
    says: (t) => `both allow_commands and use_shell set for ${t.name} transport`,
    help: 'a shell could run anything: remove one of them',
  },
  {
    kind: 'transport',
    driver: 'pipe',
    option: 'return_fail_output',
    broken: (t) => t.has('return_output') && t.has('return_fail_output'),
    says: (t) => `both return_output and return_fail_output set for ${t.name} transport`,
    help: 'remove one of them',
  },
  {
    kind: 'transport',
    driver: 'pipe',
    option: 'log_fail_output',
    broken: (t) => t.has('log_output') && t.has('log_fail_output'),
    says: (t) => `both log_output and log_fail_output set for the ${t.name} transport`,
    help: 'remove one of them',
  },
  {
    kind: 'transport',
    driver: 'pipe',
    option: 'temp_errors',
    broken: (t) => {
      const codes = t.value('temp_errors')
      return (
        Array.isArray(codes) && !codes.every((code) => /^\d+$/.test(String(code)) || codes.join() === '*')
      )
    },
    says: (t) => `temp_errors must be a list of numbers or an asterisk for the ${t.name} transport`,
    help: 'such as 73 : 75',
  },
  {
    kind: 'transport',
    driver: 'lmtp',
    option: 'socket',
    broken: (t) => t.has('command') === t.has('socket'),
    says: (t) => `one (and only one) of command or socket must be set for the ${t.name} transport`,
    help: 'keep one of them',
  },
  {
    kind: 'authenticator',
    driver: 'spa',
    option: 'client_username',
    broken: (a) => a.has('client_username') !== a.has('client_password'),
    says: (a) =>
      `${a.name} authenticator: one of client_username and client_password cannot be set without the other`,
    help: 'set both or none',
  },
  {
    kind: 'authenticator',
    driver: 'cram_md5',
    option: 'driver',
    broken: (a) => !a.has('public_name'),
    says: (a) => `no public name specified for the ${a.name} authenticator`,
    help: 'add "public_name = CRAM-MD5"',
  },
]

/** A view of the settings of an instance. */
export function viewOf(name: string, settings: object): View {
  const values = new Map<string, unknown>(Object.entries(settings))
  const text = (option: string): string => {
    const value = values.get(option)
    return value instanceof Expandable ? value.text : typeof value === 'string' ? value : ''
  }
  return {
    name,
    value: (option) => values.get(option),
    has: (option) => values.get(option) !== undefined && values.get(option) !== false,
    text,
  }
}
