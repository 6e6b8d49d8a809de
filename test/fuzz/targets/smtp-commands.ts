/** Random and mutated dialogues into a whole session: command lines, their arguments, their order. */
import { converse } from '../../support/session-record.ts'
import { mutate, type Random } from '../random.ts'
import type { FuzzTarget } from '../target.ts'

const seeds = [
  'EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<u@test.example>\r\nDATA\r\nS: x\r\n\r\nbody\r\n.\r\nQUIT\r\n',
  'EHLO x\r\nMAIL FROM:<"a b"@[192.0.2.1]> SIZE=100 BODY=8BITMIME RET=HDRS ENVID=x+20y AUTH=<>\r\nRSET\r\n',
  'EHLO x\r\nMAIL FROM:<> SMTPUTF8\r\nRCPT TO:<@a,@b:u@test.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a\r\n',
  'HELO [IPv6:::1]\r\nVRFY u\r\nEXPN list\r\nETRN #x\r\nHELP\r\nNOOP x\r\nAUTH PLAIN =\r\nSTARTTLS\r\n',
  'EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<u@test.example>\r\nBDAT 5\r\nS: x\r\nBDAT 2 LAST\r\n\r\nQUIT\r\n',
  'XCLIENT ADDR=192.0.2.1 NAME=[UNAVAILABLE]\r\nWELLKNOWN a+20b\r\n',
]
const bits =
  ' |\r\n|\n|\r|\0|\xff|<|>|:|@|"|\\|,|+2B|SIZE=99999999999999999999|=|MAIL FROM:|RCPT TO:|DATA\r\n|BDAT 3\r\n|BDAT 99999999999 LAST\r\n|RSET\r\n|\r\n.\r\n|(|)|;|a@b'.split(
    '|',
  )

export const smtpCommands: FuzzTarget = {
  name: 'smtp-commands',
  says: 'an SMTP session answers whatever is said to it with lines of the right form, and ends',
  make: () => ({
    generate: (random: Random) =>
      String.fromCharCode(random.below(256)) + mutate(random.pick(seeds), random, seeds, bits, 20_000),
    async run(input) {
      const step = 1 + input.charCodeAt(0) * 7
      const text = input.slice(1)
      const pieces: string[] = []
      for (let at = 0; at < text.length; at += step) pieces.push(text.slice(at, at + step))
      const record = await converse(pieces, {
        settings: { smtp_max_synprot_errors: 50, smtp_max_unknown_commands: 50, smtp_enforce_sync: false },
      })
      const wrong = record.output
        .split('\r\n')
        .find((line) => line !== '' && !/^[2-5]\d\d[ -][^\0-\x08\x0a-\x1f]*$/.test(line))
      if (wrong !== undefined) throw new Error(`a reply that is none: ${JSON.stringify(wrong)}`)
      const inLog = [...record.main, ...record.panic].find((line) => line.includes('SMTP session failed'))
      if (inLog !== undefined) throw new Error(inLog)
      return record.output
    },
  }),
}
