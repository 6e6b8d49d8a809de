/** Whole configurations of sites, played to a real Exim and to Postern: the first half of them. */
import { compareRecipes } from './support/recipes-vs-exim.ts'

compareRecipes(0)
