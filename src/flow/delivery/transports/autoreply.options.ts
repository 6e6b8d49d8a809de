/** Options of the autoreply transport. */
import type { OptionTable, Settings } from '../../../language/config/options/table.ts'

export const autoreplyOptions = {
  bcc: {
    type: 'expand',
    default: undefined,
    tier: 'C',
    since: '0.1',
    doc: 'Addresses that get a hidden copy of the reply.',
  },
  cc: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'Addresses that get a copy of the reply.',
  },
  file: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'File whose contents are put into the reply.',
  },
  file_expand: {
    type: 'boolean',
    default: false,
    tier: 'A',
    since: '0.1',
    doc: 'Whether the contents of file are expanded.',
  },
  file_optional: {
    type: 'boolean',
    default: false,
    tier: 'A',
    since: '0.1',
    doc: 'Whether a missing file is no error.',
  },
  from: { type: 'expand', default: undefined, tier: 'A', since: '0.1', doc: 'From header of the reply.' },
  headers: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'Further headers of the reply.',
  },
  log: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'File in which each reply is noted.',
  },
  mode: {
    type: 'octal',
    default: 0o600,
    tier: 'A',
    since: '0.1',
    doc: 'Permissions of a log or once file that is made.',
  },
  never_mail: {
    type: 'addressList',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'Addresses that never get a reply.',
  },
  once: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'File that remembers who has had a reply, so that each gets one.',
  },
  once_file_size: {
    type: 'integer',
    default: 0,
    tier: 'C',
    doc: 'Size at which the file of once begins to forget the oldest.',
  },
  once_repeat: {
    type: 'expandTime',
    default: '0s',
    tier: 'A',
    since: '0.1',
    doc: 'Time after which somebody gets a reply again.',
  },
  reply_to: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'Reply-To header of the reply.',
  },
  return_message: {
    type: 'boolean',
    default: false,
    tier: 'A',
    since: '0.1',
    doc: 'Whether the original message is put into the reply.',
  },
  subject: {
    type: 'expand',
    default: undefined,
    tier: 'A',
    since: '0.1',
    doc: 'Subject header of the reply.',
  },
  text: { type: 'expand', default: undefined, tier: 'A', since: '0.1', doc: 'Text of the reply.' },
  to: { type: 'expand', default: undefined, tier: 'A', since: '0.1', doc: 'Addresses that get the reply.' },
} as const satisfies OptionTable

export type AutoreplySettings = Settings<typeof autoreplyOptions>
