/** `ratelimit` and `seen` in all their forms, as they show to the client and in `$sender_rate` and its kin. */
import { configuration, generous } from './configuration.ts'
import type { Dialogue, Table } from './dialogue.ts'

const message = 'Subject: hi\r\n\r\nbody\r\n.'

/** What stands in the RCPT ACL, by local part; each is asked twice in one dialogue. */
const statements: Readonly<Record<string, string>> = {
  plain: 'warn ratelimit = 1 / 1h / strict / plain',
  leaky: 'warn ratelimit = 1 / 1h / leaky / l1',
  perrcpt: 'warn ratelimit = 1 / 1h / per_rcpt / strict / r1',
  permail: 'warn ratelimit = 1 / 1h / per_mail / strict / m1',
  perconn: 'warn ratelimit = 1 / 1h / per_conn / strict / c1',
  percmd: 'warn ratelimit = 1 / 1h / per_cmd / strict / d1',
  perbyte: 'warn ratelimit = 1 / 1h / per_byte / strict / b1',
  peraddr: 'warn ratelimit = 0 / 1h / per_addr / strict / a1',
  unique: 'warn ratelimit = 1 / 1h / per_cmd / unique=$local_part$rcpt_count / strict / u1',
  uniquesame: 'warn ratelimit = 1 / 1h / per_cmd / unique=same / strict / u2',
  count: 'warn ratelimit = 5 / 1h / per_cmd / count=4 / strict / n1',
  countbyte: 'warn ratelimit = 5 / 1h / per_byte / count=1000 / strict / n2',
  countzero: 'warn ratelimit = 0 / 1h / per_cmd / count=0 / strict / n3',
  countbad: 'warn ratelimit = 1 / 1h / per_cmd / count=x / strict / n4',
  countneg: 'warn ratelimit = 1 / 1h / per_cmd / count=-1 / strict / n5',
  readonly: 'warn ratelimit = 0 / 1h / readonly / per_cmd / strict / o1',
  noupdate: 'warn ratelimit = 0 / 1h / noupdate / per_cmd / strict / o2',
  readpercmd: 'warn ratelimit = 0 / 1h / readonly / d1',
  strictleaky: 'warn ratelimit = 1 / 1h / strict / leaky / x1',
  readstrict: 'warn ratelimit = 1 / 1h / readonly / strict / x2',
  two: 'warn ratelimit = 1 / 1h / per_cmd / per_conn / x3',
  twounique: 'warn ratelimit = 1 / 1h / per_conn / unique=a / x4',
  negative: 'warn ratelimit = -1 / 1h / x5',
  nothing: 'warn ratelimit =',
  onlylimit: 'warn ratelimit = 1',
  zerotime: 'warn ratelimit = 1 / 0s / x6',
  kilo: 'warn ratelimit = 1k / 1h / per_cmd / strict / x7',
  fraction: 'warn ratelimit = 1.5 / 1h / per_cmd / strict / x8',
  unknown: 'warn ratelimit = 1 / 1h / per_what / x9',
  perrcptmail: 'warn ratelimit = 0 / 1h / per_rcpt / noupdate / y1',
  noupdateleaky: 'warn ratelimit = 0 / 1h / noupdate / leaky / y2',
  noupdateread: 'warn ratelimit = 0 / 1h / noupdate / readonly / y3',
  seen: 'warn seen = 1h / key=$local_part',
  notseen: 'warn !seen = 1h / key=$local_part',
  seenagain: 'warn seen = -1h / key=$local_part',
  seenreadonly: 'warn seen = 1h / key=$local_part / readonly',
  seenwrite: 'warn seen = 1h / key=$local_part / write',
  seenhost: 'warn seen = 1h',
  seenbad: 'warn seen = x',
  seenbadoption: 'warn seen = 1h / what=x',
  seenrefresh: 'warn seen = 1h / key=$local_part / refresh=1s',
}

const acl = Object.entries(statements)
  .map(([name, line]) => {
    const rest = line.replace(/^warn /, '')
    return `  accept local_parts = ${name}\n    ${rest}\n    logwrite = true $sender_rate/$sender_rate_period max $sender_rate_limit\n    message = 250 true $sender_rate/$sender_rate_period max $sender_rate_limit\n  accept local_parts = ${name}\n    message = 250 false $sender_rate/$sender_rate_period max $sender_rate_limit\n`
  })
  .join('')

const twice = (name: string): Dialogue => ({
  says: `${name}: ${statements[name] ?? ''}`,
  steps: [
    'EHLO c.example',
    'MAIL FROM:<a@b.example> SIZE=1000',
    `RCPT TO:<${name}@test.example>`,
    `RCPT TO:<${name}@test.example>`,
    'DATA',
    message,
    'MAIL FROM:<a@b.example>',
    `RCPT TO:<${name}@test.example>`,
    'QUIT',
  ],
})

export const rates: Table = {
  name: 'ratelimit and seen',
  configuration: configuration(`acl_smtp_rcpt = acl_rates\n${generous}`, `acl_rates:\n${acl}`),
  dialogues: Object.keys(statements).map(twice),
}

const places = ['connect', 'helo', 'mail', 'rcpt', 'predata', 'data', 'vrfy', 'expn', 'quit'] as const
const measures = ['per_mail', 'per_byte', 'per_rcpt', 'per_addr', 'per_conn', 'per_cmd'] as const

/** What is counted in which ACL; `strict` where it cannot be is an error, told in `errors`. */
export const ratePlaces: Table = {
  name: 'ratelimit in each ACL, and $message_size',
  configuration: configuration(
    `${places.map((place) => `acl_smtp_${place} = rates_${place}\n`).join('')}${generous}`,
    places
      .map(
        (place) =>
          `rates_${place}:\n${measures
            .map(
              (measure) =>
                `  warn ratelimit = 0 / 1h / ${measure} / ${place}${measure}\n    logwrite = ${place} ${measure} $sender_rate${place === 'connect' ? '' : ' size=$message_size'}\n`,
            )
            .join('')}  accept\n`,
      )
      .join(''),
  ),
  dialogues: [
    {
      says: 'each measure in each ACL',
      steps: [
        'EHLO x',
        'VRFY a@b',
        'EXPN a@b',
        'MAIL FROM:<a@b.example> SIZE=100',
        'RCPT TO:<u@test.example>',
        'RCPT TO:<v@test.example>',
        'DATA',
        'S: x\r\n\r\nb\r\n.',
        'QUIT',
      ],
    },
  ],
}

/** Where there is no message, none can be counted. */
export const ratesMisplaced: Table = {
  name: 'ratelimit with strict in a wrong ACL',
  configuration: configuration(
    `acl_smtp_helo = rates_helo\nacl_smtp_vrfy = rates_vrfy\nacl_smtp_mail = rates_mail\n${generous}`,
    ['helo', 'vrfy', 'mail']
      .map(
        (place) =>
          `rates_${place}:\n${measures
            .map(
              (measure) =>
                `  warn condition = \${if eq{$sender_helo_name}{${measure.replace('_', '-')}}}\n    ratelimit = 0 / 1h / ${measure} / strict / s${place}${measure}\n    logwrite = ${place} $sender_rate\n`,
            )
            .join('')}  accept\n`,
      )
      .join(''),
  ),
  dialogues: measures.map((measure) => ({
    says: `${measure}/strict`,
    steps: [`EHLO ${measure.replace('_', '-')}`, 'HELO x', 'VRFY a@b', 'MAIL FROM:<a@b.example>', 'QUIT'],
  })),
}
