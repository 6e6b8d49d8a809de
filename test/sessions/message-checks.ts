/** What the ACL for the message can check of it. */
import { configuration } from './configuration.ts'
import type { Table } from './dialogue.ts'

const items: Readonly<Record<string, string>> = {
  syntax: 'require verify = header_syntax',
  sender: 'require verify = header_sender',
  ascii: 'require verify = header_names_ascii',
  blind: 'require verify = not_blind',
  blindcase: 'require verify = not_blind/case_insensitive',
  certificate: 'require verify = certificate',
  size: 'deny condition = ${if >{$message_size}{600}}\n  message = too big: $message_body_size',
  from: 'deny condition = ${if !def:h_from:}\n  message = no From:',
  body: 'deny condition = ${if match{$message_body}{forbidden}}\n  message = forbidden word',
  lines:
    'deny condition = ${if >{$max_received_linelength}{100}}\n  message = line of $max_received_linelength',
}

const texts: readonly (readonly [string, string])[] = [
  ['plain', 'From: a@b.example\r\nTo: u@test.example\r\nSubject: x\r\n\r\nx'],
  ['bad From', 'From: a@@b\r\nTo: u@test.example\r\n\r\nx'],
  ['bad To', 'From: a@b.example\r\nTo: u@test.example, <broken\r\n\r\nx'],
  ['no To', 'From: a@b.example\r\n\r\nforbidden'],
  ['To in capitals', 'From: a@b.example\r\nTo: U@TEST.example\r\n\r\nx'],
]

/** Which texts are of interest to which item. */
const pairs: Readonly<Record<string, readonly string[]>> = {
  syntax: ['plain', 'bad From', 'bad To', 'no To'],
  sender: ['plain', 'bad From'],
  ascii: ['plain'],
  blind: ['plain', 'no To', 'To in capitals'],
  blindcase: ['To in capitals'],
  certificate: ['plain'],
  size: ['plain'],
  from: ['plain', 'bad From'],
  body: ['no To', 'plain'],
  lines: ['plain'],
}

/** Exim takes no ACL by a name from outside. */
const choice = Object.keys(items)
  .map((name) => `${name}=check_${name}`)
  .join(' ')

export const messageChecks: Table = {
  name: 'checks of the message',
  configuration: configuration(
    `acl_smtp_rcpt = accept\nacl_smtp_data = \${extract{$sender_helo_name}{${choice}}}\n`,
    Object.entries(items)
      .map(([name, text]) => `check_${name}:\n  ${text}\n  accept\n`)
      .join(''),
  ),
  dialogues: Object.entries(pairs).flatMap(([item, names]) =>
    names.map((name) => ({
      says: `${item}: ${name}`,
      steps: [
        `EHLO ${item}`,
        'MAIL FROM:<a@b.example>',
        'RCPT TO:<u@test.example>',
        'DATA',
        `${texts.find(([one]) => one === name)?.[1] ?? ''}\r\n.`,
        'QUIT',
      ],
    })),
  ),
}
