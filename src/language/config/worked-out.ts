/**
 * Options that a driver works out when they are not set: `-bP` shows what comes of it, as Exim does.
 * The values were observed on Exim 4.96.
 */
import { Expandable } from '../../base/expandable.ts'
import type { Instance } from './configuration.ts'

export interface WorkedOutFacts {
  /** Name of the main group of a user, by name or number. */
  readonly groupOf: (user: string) => string | undefined
  readonly primaryHostname: string
}

type Rule = (instance: Instance<object>, facts: WorkedOutFacts) => unknown

const mboxPrefix = 'From ${if def:return_path{$return_path}{MAILER-DAEMON}} ${tod_bsdinbox}\\n'

const groupOfUser =
  (user: string): Rule =>
  (instance, facts) => {
    const name = text(instance, user)
    return name === '' || name.includes('$') ? undefined : facts.groupOf(name)
  }

/** A file that many messages share, in mbox form. */
const mbox = (yes: string, bsmtp: string): Rule => {
  return (instance) =>
    on(instance, 'use_bsmtp') ? bsmtp : instance.driver === 'pipe' || !inFolder(instance) ? yes : ''
}

const appendfile: Readonly<Record<string, Rule>> = {
  check_string: mbox('From ', '.'),
  escape_string: mbox('>From ', '..'),
  message_prefix: mbox(mboxPrefix, ''),
  message_suffix: mbox('\\n', ''),
  quota_filecount: () => '',
  quota_warn_message: (instance) => (instance.setAt.has('quota_warn_threshold') ? undefined : ''),
  quota_warn_threshold: () => '',
  use_fcntl_lock: () => true,
  use_lockfile: () => true,
}

const transportRules: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  '': {
    group: groupOfUser('user'),
    message_size_limit: () => '',
    retry_use_local_part: (instance) => instance.driver !== 'smtp',
  },
  appendfile,
  autoreply: { once_repeat: () => '' },
  pipe: {
    check_string: (instance) => (on(instance, 'use_bsmtp') ? '.' : ''),
    escape_string: (instance) => (on(instance, 'use_bsmtp') ? '..' : ''),
    message_prefix: mbox(mboxPrefix, ''),
    message_suffix: mbox('\\n', ''),
  },
  smtp: { port: (instance) => text(instance, 'protocol') },
}

/** With one of these a router looks at more than the domain. Source: Exim manual, router option "retry_use_local_part". */
const asksOfLocalPart = [
  'local_parts',
  'condition',
  'local_part_prefix',
  'local_part_suffix',
  'senders',
  'require_files',
]

/** The addresses of a list that is read once stand in the envelope: nothing but addresses can. */
const oneTime: Rule = (instance) => on(instance, 'one_time')

const routerRules: typeof transportRules = {
  '': {
    group: groupOfUser('user'),
    log_as_local: (instance) => instance.driver === 'accept',
    retry_use_local_part: (instance) =>
      on(instance, 'check_local_user') || asksOfLocalPart.some((name) => instance.setAt.has(name)),
  },
  queryprogram: { command_group: groupOfUser('command_user') },
  redirect: {
    check_owner: (instance) => on(instance, 'check_local_user') || instance.setAt.has('owners'),
    forbid_file: oneTime,
    forbid_filter_reply: oneTime,
    forbid_pipe: oneTime,
  },
}

const authenticatorRules: typeof transportRules = {
  cram_md5: {
    client_name: (instance, facts) =>
      instance.setAt.has('client_secret')
        ? facts.primaryHostname === ''
          ? undefined
          : facts.primaryHostname
        : '',
  },
}

const rules = { router: routerRules, transport: transportRules, authenticator: authenticatorRules } as const

/** What an unset option comes to; undefined: its default. */
export function workedOut(
  kind: keyof typeof rules,
  instance: Instance<object>,
  option: string,
  facts: WorkedOutFacts,
): unknown {
  if (instance.setAt.has(option)) return undefined
  const rule = rules[kind][instance.driver]?.[option] ?? rules[kind]['']?.[option]
  return rule?.(instance, facts)
}

function setting(instance: Instance<object>, name: string): unknown {
  return new Map<string, unknown>(Object.entries(instance.settings)).get(name)
}

function on(instance: Instance<object>, name: string): boolean {
  return setting(instance, name) === true
}

function text(instance: Instance<object>, name: string): string {
  const value = setting(instance, name)
  return value instanceof Expandable ? value.text : typeof value === 'string' ? value : ''
}

function inFolder(instance: Instance<object>): boolean {
  return instance.setAt.has('directory')
}
