/** The pages of the guide, followed to the letter: the first half of them. */
import { followPages } from './guide/outer.ts'
import { half } from './guide/walks/index.ts'

followPages(half(0))
