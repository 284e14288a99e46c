/** English words that are left out of questions: they are in nearly every text and say nothing about its subject. */
const STOP_WORDS = new Set(
  `a about above after again against all am an and any are as at be because been before being below between both but by
  can could did do does doing down during each either few for from further had has have having he her here hers herself
  him himself his how i if in into is it its itself just me might more most must my myself no nor not of off on once only
  or other our ours ourselves out over own please shall she should so some such than that the their theirs them
  themselves then there these they this those through to too under until up upon us very was we were what when where
  which while who whom whose why will with would you your yours yourself yourselves
  don't doesn't didn't isn't aren't wasn't weren't won't wouldn't can't couldn't shouldn't haven't hasn't hadn't`.split(
    /\s+/,
  ),
);

/** Returns true if a word, as it stands in a question, is an English stop word. `US`, `IT` and `WHO` are not. */
export function isStopWord(word: string): boolean {
  const isAcronym = word.length > 1 && word === word.toUpperCase();
  return !isAcronym && STOP_WORDS.has(word.toLowerCase());
}
