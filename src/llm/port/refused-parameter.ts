/**
 * Matches the objection to a parameter or its value in the wording of OpenAI, Azure, Anthropic, Ollama, pydantic (vLLM,
 * Mistral), Voyage and others. Use it together with a match of the parameter's name.
 */
export const REFUSED_PARAMETER =
  /unsupported|not supported|does not support|doesn't support|unknown|unrecogni[sz]ed|unexpected|extra|not permitted|not allowed|invalid|not valid|not accept|deprecated|only|must be|cannot/i;
