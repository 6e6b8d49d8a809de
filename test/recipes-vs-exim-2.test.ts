/** Whole configurations of sites, played to a real Exim and to Postern: the other half of them. */
import { compareRecipes } from './support/recipes-vs-exim.ts'

compareRecipes(1)
