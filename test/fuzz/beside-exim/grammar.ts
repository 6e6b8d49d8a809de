/** Random texts of the expansion language, mostly well formed. */
import type { Random } from '../random.ts'

type Make = (depth: number) => string

/** Characters at which readers may stumble. */
const odd = [
  '{',
  '}',
  '$',
  '\\',
  ':',
  ' ',
  '"',
  '\\N',
  ',',
  '<',
  '\t',
  "'",
  '(',
  '\\n',
  '!',
  '\xe9',
  '-',
  '/',
]

export interface Grammar {
  text: Make
  /** One or more items, operators, variables and words. */
  mixed: Make
  condition: Make
  list: Make
  pattern: Make
  number: Make
  address: Make
  domain: Make
  ip: Make
}

export function createGrammar(random: Random): Grammar {
  const { pick, below } = random
  const chance = (percent: number): boolean => below(100) < percent
  const many = (most: number, make: () => string, between = ''): string =>
    Array.from({ length: below(most + 1) }, make).join(between)
  const gap = (): string => (chance(8) ? pick([' ', '  ', '\t']) : '')
  const group = (text: string): string => `${gap()}{${text}}`

  const word = (): string =>
    pick([
      ...[
        'a',
        'b',
        'abc',
        'A',
        'Joe',
        'x.y',
        'foo bar',
        'yes',
        'no',
        'true',
        'false',
        '',
        ' ',
        'a=b',
        'A:b',
        '0x1f',
      ],
      ...[
        'caf\xc3\xa9',
        '\xe9',
        'x\\ty',
        '\\x41',
        '\\101',
        'a\\nb',
        '\\N$x{\\N',
        '\\\\',
        'a,b',
        'a"b',
        "it's",
        '*',
        '@',
        '.',
        '..',
      ],
      ...[
        '<a>',
        '(x)',
        '=?utf-8?q?caf=C3=A9?=',
        '=?iso-8859-1?b?6Q==?=',
        'a+b',
        '100%',
        '#',
        ';',
        '-',
        '_',
        '/etc/passwd',
        '\\{',
        '\\}',
        '\\$',
        '\\x7f',
        '\\x80',
        '\\x01',
      ],
    ])
  const variable = (): string =>
    pick([
      ...[
        '$item',
        '$value',
        '$1',
        '$0',
        '${2}',
        '$h_subject:',
        '$h_to:',
        '$rh_from:',
        '$bh_subject:',
        '$lh_to:',
      ],
      ...['$h_none:', '${h_subject:}', '$acl_m_x', '$acl_c0', '$local_part', '$domain'],
      ...[
        '$reply_address',
        '$message_body',
        '$message_headers',
        '$primary_hostname',
        '${local_part}',
        '$runrc',
        '$nothing',
      ],
    ])
  const number: Make = (depth) =>
    chance(12) && depth > 0
      ? mixed(depth - 1)
      : pick([
          ...[
            '0',
            '1',
            '2',
            '3',
            '-1',
            '-2',
            '10',
            '64',
            '-0',
            '+1',
            ' 1',
            '1 ',
            '1K',
            '2M',
            '1g',
            '010',
            '0x10',
            '',
            'a',
            '1a',
          ],
          ...[
            '2147483647',
            '2147483648',
            '4294967296',
            '9223372036854775807',
            '9223372036854775808',
            '-9223372036854775808',
            '1.5',
            '08',
            '--1',
            '- 1',
          ],
        ])
  const ip: Make = () =>
    pick([
      ...[
        '1.2.3.4',
        '10.0.0.1',
        '::1',
        '::',
        '2001:db8::1',
        '::ffff:1.2.3.4',
        '1.2.3',
        '1.2.3.4.5',
        '256.1.1.1',
        '1.2.3.04',
        'fe80::1%eth0',
      ],
      ...[
        '2001:db8:0:0:0:0:0:1',
        '1:2:3:4:5:6:7:8',
        '1:2:3:4:5:6:7:8:9',
        ':1',
        '1::2::3',
        'a',
        '',
        '1.2.3.4 ',
        '01.2.3.4',
        'ABCD::EF',
        '0',
        '1.2.3.4/24',
        '::1/64',
      ],
    ])
  const network = (): string =>
    `${ip(0)}${pick(['', '/8', '/24', '/32', '/0', '/33', '/64', '/128', '/129', '/', '/x', '/-1', '/08', '/ 8'])}`
  const domain: Make = () =>
    pick([
      ...[
        'example.com',
        'a.b',
        'EXAMPLE.com',
        'm\xc3\xbcller.de',
        'xn--mller-kva.de',
        'localhost',
        'a..b',
        '.a',
        'a.',
        '',
        '[1.2.3.4]',
        'b\xc3\xbcch.er',
        'xn--a',
        'xn--',
        'a_b.c',
        'stra\xc3\x9fe.de',
        '\xe9.de',
        'a b',
      ],
    ])
  const localPart = (): string =>
    pick([
      'joe',
      'Joe',
      'a.b',
      '"a b"',
      'a+b',
      '',
      '"a\\\\"b"',
      '.a',
      'a..b',
      'j\xc3\xb6',
      '"',
      "o'x",
      'a b',
      'xn--a',
      '<',
      'a(x)',
    ])
  const plainAddress = (): string => `${localPart()}${chance(90) ? '@' : ''}${domain(0)}`
  const address: Make = () =>
    pick([
      plainAddress,
      plainAddress,
      () => `Joe <${plainAddress()}>`,
      () => `"J, o" <${plainAddress()}> (c)`,
      () => `<${plainAddress()}>`,
      () => `<@x,@y:${plainAddress()}>`,
      () => `(c (d)) ${plainAddress()}`,
      () => `grp: ${plainAddress()}, ${plainAddress()};`,
      () => `${plainAddress()} x`,
      () => '<>',
      () => '',
      () => `Joe. X <${plainAddress()}`,
      () => `=?utf-8?q?J=F6?= <${plainAddress()}>`,
    ])()
  const addressList = (): string => many(3, () => address(0), pick([', ', ',', ' , ', ':', ', ,']))
  const list: Make = (depth) => {
    const separator = chance(30) ? pick([';', ',', '-', '/', '|', '\\n', ' ', '#', '.', '+']) : ':'
    const between = pick([
      separator,
      separator,
      ` ${separator} `,
      `${separator}${separator}`,
      ` ${separator}`,
    ])
    const start =
      separator === ':'
        ? pick(['', '', '', '<: ', ' '])
        : pick([`<${separator}`, `<${separator} `, `< ${separator}`, ''])
    return (
      start +
      many(5, () => (chance(80) || depth <= 0 ? word() : mixed(depth - 1)), between) +
      (chance(10) ? between : '')
    )
  }
  const pattern: Make = (depth) =>
    chance(10) && depth > 0
      ? mixed(depth - 1)
      : pick([
          ...[
            'a',
            'b*',
            '.',
            '^',
            '\\$',
            '^(.)',
            '(.)(.)',
            '(a|b)',
            '[a-c]+',
            '\\\\d+',
            '\\N^(\\w+)\\s*\\N',
            '\\N(\\d)\\N',
            '(?i)A',
            '(?<n>a)',
            'x?',
            '',
            '(',
            '[',
            '*',
            '\\N(?=b)\\N',
            '\\N\\bo\\N',
            '(a)?b',
            '\\N.$\\N',
            '\\N(.+?)\\N',
            '\\Na{2}\\N',
            '\xe9',
            ',',
          ],
        ])
  const replacement = (): string =>
    pick([
      '',
      '-',
      '\\$1',
      '<\\$0>',
      '[$1]',
      '\\$2\\$1',
      'x\\\\',
      '\\\\1',
      '\\$9',
      '\\$',
      'a\\$',
      '\\${1}',
      '\\$a',
      '$item',
    ])
  const json: Make = () =>
    pick([
      ...[
        '{"a":1,"b":"x"}',
        '{"a":{"b":[1,2]}}',
        '[1,2,3]',
        '["a","b:c","d\\"e"]',
        '{"a":null,"b":true}',
        '[]',
        '{}',
        '"x"',
        '1',
        '',
        '{"a":"{x}"}',
        '[ "a" , "b" ]',
      ],
      ...[
        '["a",1,true,null,{"x":1},[2]]',
        '{"a": "x" }',
        '{"a":"b"',
        '[1,2',
        '{"a b":1,"":2}',
        '["a" "b"]',
        '{"a":"caf\xc3\xa9"}',
        '{"a":"\\u00e9\\n"}',
        '[,]',
        '{"A":1,"a":2}',
      ],
    ]).replace(/[{}\\]/g, (char) => `\\${char}`)
  const sum: Make = (depth) =>
    pick([
      () => many(4, () => number(0), pick(['+', '-', '*', '/', '%', ' + ', '&', '|', '^', '<<', '>>', ' '])),
      () => `(${number(0)}+${number(0)})*${number(0)}`,
      () => `-${number(0)}`,
      () => `~${number(0)}`,
      () => `!${number(0)}`,
      () => number(depth),
      () => `${number(0)}${pick(['+', '*', '/', '<', '=='])}(${number(0)}`,
    ])()
  const time = (): string =>
    pick([
      '1s',
      '2m',
      '3h4m',
      '1w2d3h4m5s',
      '0',
      '60',
      '604800',
      '1h1h',
      '',
      'x',
      '5s1m',
      '-1',
      '99999999',
      '1w1',
      '1.5h',
    ])
  const coded = (): string =>
    pick([
      '',
      'a',
      'YWJj',
      'YWI=',
      'YQ==',
      'Y',
      'Y Q',
      '====',
      'YWJj\\nZGVm',
      'zz',
      '6162',
      '616',
      '4a4B',
      'fv',
      'G8',
      '+2B',
      'a+20b',
      '=41',
      'xyz!',
      '\xff',
    ])

  /** Text for an argument of no special kind. */
  const argument: Make = (depth) => (depth <= 0 || chance(45) ? many(2, word) : mixed(depth - 1))

  const kinds = {
    number,
    ip: () => network(),
    domain,
    address,
    addresses: addressList,
    list,
    pattern,
    json,
    sum,
    time,
    coded,
    argument,
  }
  const of = (kind: keyof typeof kinds, depth: number): string =>
    chance(12) ? argument(depth) : (kinds[kind] as Make)(depth)

  const operators: readonly (readonly [string, keyof typeof kinds])[] = [
    ...['address', 'domain', 'local_part'].map((name) => [name, 'address'] as const),
    ['addresses', 'addresses'],
    ...['base32', 'base62', 'time_interval'].map((name) => [name, 'number'] as const),
    ...['base32d', 'base62d', 'base64d', 'hex2b64'].map((name) => [name, 'coded'] as const),
    ...[
      'base64',
      'str2b64',
      'escape',
      'escape8bit',
      'expand',
      'from_utf8',
      'hexquote',
      'lc',
      'uc',
      'md5',
      'sha1',
      'sha256',
      'sha2',
      'sha3',
      'sha2_512',
      'sha3_224',
      'sha2_17',
      'quote',
      'rfc2047',
      'rfc2047d',
      'rxquote',
      'strlen',
      's_1_2',
      'l_3',
      'h_3',
      'nh_9',
      'utf8clean',
      'quote_mysql',
      'quote_pgsql',
      'quote_sqlite',
      'quote_ldap',
      'quote_ldap_dn',
      'quote_lsearch',
      'quote_nosuch',
      'nosuch',
      'lc_1',
    ].map((name) => [name, 'argument'] as const),
    ['quote_local_part', 'address'],
    ['eval', 'sum'],
    ['eval10', 'sum'],
    ['time_eval', 'time'],
    ['listcount', 'list'],
    ['listnamed', 'argument'],
    ...['mask', 'mask_n', 'reverse_ip', 'ipv6norm', 'ipv6denorm'].map((name) => [name, 'ip'] as const),
    ...[
      'utf8_domain_to_alabel',

      'utf8_localpart_to_alabel',
      'utf8_localpart_from_alabel',
    ].map((name) => [name, 'domain'] as const),
    ['json', 'json'],
  ]
  const operator: Make = (depth) => {
    const cut = chance(15)
    if (cut) {
      const name = pick(['substr', 'length', 'hash', 'nhash', 's', 'l', 'h', 'nh'])
      const numbers = many(
        2,
        () => pick(['0', '1', '2', '3', '-1', '-2', '8', '64', '', 'a', '99999999999']),
        '_',
      )
      return `\${${name}_${numbers}:${argument(depth)}}`
    }
    const [name, kind] = pick(operators)
    return `\${${name}:${of(kind, depth)}}`
  }

  /** `{yes}{no}` and its forms. */
  const branches = (depth: number): string =>
    pick([
      () => '',
      () => group(argument(depth)),
      () => group(argument(depth)) + group(argument(depth)),
      () => group('$value') + group('no'),
      () => `${group('$value')}fail`,
      () => `${group(argument(depth))} fail `,
      () => '{[$1][$value]}{no}',
    ])()

  const items: readonly ((depth: number) => string)[] = [
    (d) =>
      `extract${group(of('number', d))}${group(pick([':', ',', ' ', ':;', '\\n', argument(0)]))}${group(of('list', d))}${branches(d)}`,
    (d) =>
      `extract${group(pick(['a', 'b', 'x', 'A', '1', '', argument(0)]))}${group(pick(['a=1 b=2', 'a = "x y" b=z', 'A=1', 'a=1 a=2', 'a', 'a=', 'a="x\\\\"y"', 'a:1 b=2', 'x=a,b=1', argument(d)]))}${branches(d)}`,
    (d) =>
      `extract ${pick(['json', 'jsons', 'json ', 'jsonx'])}${group(pick(['a', 'b', '1', '2', '0', '-1', '', 'a b', '3', number(0)]))}${group(of('json', d))}${branches(d)}`,
    (d) => `filter${group(of('list', d))}${group(condition(d - 1))}`,
    (d) => `map${group(of('list', d))}${group(pick(['$item', 'x', '<$item>', mixed(d - 1)]))}`,
    (d) =>
      `reduce${group(of('list', d))}${group(argument(d))}${group(pick(['$value,$item', '$item', '$value$item', '${eval:$value+1}', mixed(d - 1)]))}`,
    (d) =>
      `sort${group(of('list', d))}${group(pick(['lt', 'le', 'gt', 'ge', 'lti', 'gei', '<', '<=', '>', '>=', 'eq', '=', 'bool', '', argument(0)]))}${group(pick(['$item', '${length_1:$item}', 'x', '', mixed(d - 1)]))}`,
    (d) => `listextract${group(of('number', d))}${group(of('list', d))}${branches(d)}`,
    (d) =>
      `sg${group(argument(d))}${group(of('pattern', d))}${group(chance(80) ? replacement() : argument(d))}`,
    (d) => `tr${group(argument(d))}${group(argument(d))}${group(argument(d))}`,
    (d) =>
      `${pick(['substr', 'hash', 'nhash'])}${group(of('number', d))}${group(of('number', d))}${group(argument(d))}`,
    (d) => `${pick(['length', 'substr', 'hash', 'nhash'])}${group(of('number', d))}${group(argument(d))}`,
    (d) =>
      `hmac${group(pick(['md5', 'sha1', 'sha256', 'MD5', '']))}${group(argument(d))}${group(argument(d))}`,
    (d) => `listquote${group(pick([':', ';', ',', '', '::', 'a']))}${group(argument(d))}`,
    (d) => `prvscheck${group(of('address', d))}${group(argument(d))}${branches(d)}`,
    (d) =>
      `imapfolder${group(argument(d))}${chance(50) ? group(pick(['/', '.', '', '//', 'a'])) : ''}${chance(30) ? group(argument(d)) : ''}`,
    (d) => `env${group(pick(['NOPE', 'PATH', argument(0)]))}${branches(d)}`,
    (d) =>
      `lookup${group(pick(['a', 'b', 'root', argument(d)]))}${pick(['lsearch', 'nwildlsearch', 'iplsearch', 'nosuch', 'dsearch', 'lsearch*', 'partial-lsearch'])}${group('/etc/nosuchfile')}${branches(d)}`,
    (d) => `if ${condition(d)}${branches(d)}`,
    (d) => `if ${condition(d)}${group('yes')}${group('no')}`,
  ]
  const item: Make = (depth) => `\${${pick(items)(depth)}}`

  const comparison = (): string => pick(['eq', 'eqi', 'lt', 'lti', 'le', 'lei', 'gt', 'gti', 'ge', 'gei'])
  const condition: Make = (depth) => {
    const d = depth - 1
    const not = chance(15) ? pick(['!', '! ', '!!']) : ''
    if (depth <= 0) return `${not}${comparison()}{${pick(['a', '$item', '$value', ''])}}{${word()}}`
    return (
      not +
      pick([
        () => `${comparison()}${group(argument(d))}${group(argument(d))}`,
        () => `${pick(['=', '==', '<', '<=', '>', '>='])}${group(of('number', d))}${group(of('number', d))}`,
        () => `${pick(['and', 'or'])}${gap()}{${many(3, () => group(condition(d)))}${gap()}}`,
        () => `${pick(['forany', 'forall'])}${group(of('list', d))}${group(condition(d))}`,
        () =>
          `${pick(['forany_json', 'forall_json', 'forany_jsons', 'forall_jsons'])}${group(of('json', d))}${group(condition(d))}`,
        () => `${pick(['inlist', 'inlisti'])}${group(argument(d))}${group(of('list', d))}`,
        () => `match${group(argument(d))}${group(of('pattern', d))}`,
        () => `match_ip${group(ip(d))}${group(many(3, () => (chance(15) ? '!' : '') + network(), ' : '))}`,
        () =>
          `match_domain${group(domain(d))}${group(many(3, () => pick(['*', '*.com', '!*.com', 'example.com', 'a.*', '^a', '@', '', '+x', domain(0)]), ':'))}`,
        () =>
          `match_address${group(plainAddress())}${group(many(3, () => pick(['*', '*@example.com', '!joe@*', 'example.com', 'joe@', '^a', '', plainAddress()]), ':'))}`,
        () =>
          `match_local_part${group(localPart())}${group(many(3, () => pick(['*', 'joe', '!a.b', '^a', '*b', '', '*a*', localPart()]), ':'))}`,
        () =>
          `${pick(['bool', 'bool_lax'])}${group(pick(['yes', 'no', 'true', 'FALSE', '0', '1', '-1', '', ' yes ', '00', '0x', 'maybe', 'y', '1 ', argument(d)]))}`,
        () =>
          `crypteq${group(pick(['test', argument(d)]))}${group(pick(['\\{md5\\}CY9rzUYh03PK3k6DJie09g==', '\\{md5\\}098f6bcd4621d373cade4e832627b4f6', '\\{sha1\\}a94a8fe5ccb19ba61c4c0873d391e987982fbbd3', '\\{crypt\\}abNANd1rDfiNc', '\\{crypt16\\}x', '\\{x\\}a', '\\{md5\\}', '', 'abNANd1rDfiNc', argument(d)]))}`,
        () => `${pick(['isip', 'isip4', 'isip6'])}${group(ip(d))}`,
        () =>
          `def:${pick(['h_subject:', 'h_none:', 'local_part', 'acl_m_x', 'item', 'value', '1', 'h_to', 'nosuch', 'h_to: '])}`,
        () => `exists${group(pick(['/etc/passwd', '/nosuch', argument(d)]))}`,
        () => pick(['queue_running', 'nosuch{a}', 'true', 'eq{a}', 'eq a']),
      ])()
    )
  }

  const mixed: Make = (depth) => {
    const piece = (): string => {
      if (depth <= 0) return chance(60) ? word() : variable()
      const roll = below(10)
      if (roll < 4) return item(depth)
      if (roll < 7) return operator(depth)
      return roll < 9 ? word() : variable()
    }
    return piece() + (chance(25) ? piece() : '')
  }
  const text: Make = (depth) => {
    const made = mixed(depth)
    if (!chance(12)) return made
    const at = below(made.length + 1)
    return made.slice(0, at) + (chance(50) ? pick(odd) : '') + made.slice(at + below(2))
  }
  return { text, mixed, condition, list, pattern, number, address, domain, ip }
}
