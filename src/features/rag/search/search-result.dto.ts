import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { QueryUsageBody, RerankBody } from './model-usage.dto.js';

/** Rows of a table. */
export class RowRangeBody {
  @ApiProperty({ description: 'First row, from 1 after the header.', type: 'integer', example: 1201 })
  first!: number;

  @ApiProperty({ description: 'Last row.', type: 'integer', example: 1230 })
  last!: number;
}

/** Location of a passage in a document. */
export class PassageSpanBody {
  @ApiProperty({ description: 'Id of the document.', format: 'uuid' })
  document_id!: string;

  @ApiProperty({ description: 'Id of its collection.', format: 'uuid' })
  collection_id!: string;

  @ApiProperty({
    description: 'Page of the passage, from 1; null if the format of the document has no pages.',
    type: 'integer',
    nullable: true,
    example: 12,
  })
  page!: number | null;

  @ApiProperty({
    description: 'Start of the passage in the text of its page, in UTF-16 units.',
    type: 'integer',
    example: 1840,
  })
  start!: number;

  @ApiProperty({
    description: 'End of the passage in the text of its page: `slice(start, end)` is the passage.',
    type: 'integer',
    example: 4312,
  })
  end!: number;

  @ApiProperty({
    description: 'Rows of the passage if it is a part of a table; otherwise null.',
    type: RowRangeBody,
    nullable: true,
    example: null,
  })
  rows!: RowRangeBody | null;
}

/** Scores of a passage. */
export class ScoresBody {
  @ApiProperty({
    description: 'BM25 score of its words; null if it was not found by its words.',
    type: Number,
    nullable: true,
    example: 7.3,
  })
  lexical!: number | null;

  @ApiProperty({
    description: 'Cosine of its vector and that of the query; null if it was not found by its vector.',
    type: Number,
    nullable: true,
    example: 0.62,
  })
  vector!: number | null;

  @ApiProperty({
    description:
      'Weighted sum of both scores, from 0 to 1: BM25 as a share of the best one, and the cosine as its place between that of the hundredth passage found by its vector, or of the last, and the best one, over a range of at least 0.1. Null if only one way was searched.',
    type: Number,
    nullable: true,
    example: 0.83,
  })
  fused!: number | null;
}

/** Ranks of a passage. */
export class RanksBody {
  @ApiProperty({
    description: 'Rank by words, from 1; null if it was not found by its words.',
    type: 'integer',
    nullable: true,
    example: 1,
  })
  lexical!: number | null;

  @ApiProperty({
    description: 'Rank by meaning, from 1; null if it was not found by its vector.',
    type: 'integer',
    nullable: true,
    example: 3,
  })
  vector!: number | null;

  @ApiPropertyOptional({
    description:
      'Rank by the model of `rerank`, from 1; null if it left the passage out. Present only if it ordered the passages.',
    type: 'integer',
    nullable: true,
    example: 2,
  })
  rerank?: number | null;
}

/** A passage that a search has found. */
export class SearchHitBody extends PassageSpanBody {
  @ApiProperty({ description: 'Title of the document.', example: 'Employee handbook' })
  title!: string;

  @ApiProperty({ description: 'Text of the passage.', example: 'The notice period is three months …' })
  text!: string;

  @ApiProperty({
    description: 'Score by which the passages are ordered, unless a model orders them (`rerank`).',
    example: 0.83,
  })
  score!: number;

  @ApiProperty({ description: 'Scores by each way of searching.', type: ScoresBody })
  scores!: ScoresBody;

  @ApiProperty({ description: 'Ranks by each way of searching.', type: RanksBody })
  ranks!: RanksBody;
}

/** A source of an answer. */
export class SourceBody extends PassageSpanBody {
  @ApiProperty({
    description:
      'Title of the document; null if the passage has been deleted or replaced since, or is no longer shared with you.',
    type: String,
    nullable: true,
    example: 'Employee handbook',
  })
  title!: string | null;

  @ApiProperty({
    description: 'Number of the source, by which the answer cites it as `[1]`.',
    type: 'integer',
    example: 1,
  })
  index!: number;

  @ApiProperty({
    description: 'Text of the passage; null if `title` is.',
    type: String,
    nullable: true,
    example: 'The notice period is three months …',
  })
  snippet!: string | null;

  @ApiProperty({ description: 'Score by which the sources are ordered.', example: 0.83 })
  score!: number;
}

/** The end of an answer: the last event of a stream before `[DONE]`. */
export class QueryEndBody {
  @ApiProperty({
    description: 'Sources that the answer cites. Markers without a source are removed from the answer.',
    type: [SourceBody],
  })
  citations!: SourceBody[];

  @ApiProperty({
    description: 'Model that generated the answer; null if no passage was found, so that no model was asked.',
    type: String,
    nullable: true,
    example: 'demo/echo',
  })
  model!: string | null;

  @ApiProperty({ description: 'Token usage of the answer.', type: QueryUsageBody })
  usage!: QueryUsageBody;

  @ApiProperty({
    description: 'Estimated cost in US dollars; null if the price is unknown.',
    type: Number,
    nullable: true,
    example: 0.000123,
  })
  cost_estimate!: number | null;

  @ApiProperty({ description: 'Why the answer ended, for example `stop` or `length`.', example: 'stop' })
  finish_reason!: string;

  @ApiPropertyOptional({
    description: 'The call to the model that ordered the passages. Present only with `rerank`.',
    type: RerankBody,
  })
  rerank?: RerankBody;
}

/** An answer with its sources. */
export class QueryAnswerBody extends QueryEndBody {
  @ApiProperty({
    description: 'Text of the answer, with markers such as `[1]` that cite its sources.',
    example: 'The notice period is three months [1].',
  })
  answer!: string;

  @ApiProperty({
    description: 'Passages that the model received, in order; empty if nothing was found.',
    type: [SourceBody],
  })
  sources!: SourceBody[];

  @ApiPropertyOptional({
    description:
      'What the search could not do, for example because a model is unavailable. Present only if there is anything.',
    type: [String],
    example: [],
  })
  warnings?: string[];
}

/** Report of one way of searching, or of the order by a model. */
export class LegReportBody {
  @ApiProperty({
    description: 'Way of searching; `rerank` for the order by a model.',
    enum: ['lexical', 'vector', 'rerank'],
    example: 'vector',
  })
  leg!: string;

  @ApiProperty({ description: 'Number of passages found or ordered.', type: 'integer', example: 5 })
  found!: number;

  @ApiProperty({ description: 'Duration in milliseconds.', example: 3.2 })
  duration_ms!: number;

  @ApiPropertyOptional({
    description:
      'How vectors were compared: all of them, by the index of pgvector, or by their signs first. Absent for words.',
    enum: ['exact', 'hnsw', 'signs'],
  })
  method?: string;

  @ApiPropertyOptional({
    description: 'Why it is off or found nothing. Present only in that case.',
    example: 'The collection has no embedding model.',
  })
  reason?: string;
}

/** The passages that a search has found. */
export class SearchResultBody {
  @ApiProperty({ description: 'Always `list`.', enum: ['list'] })
  object!: 'list';

  @ApiProperty({ description: 'Passages, the best first.', type: [SearchHitBody] })
  data!: SearchHitBody[];

  @ApiPropertyOptional({
    description:
      'What the search could not do, for example because a model is unavailable. Present only if there is anything.',
    type: [String],
    example: [],
  })
  warnings?: string[];

  @ApiPropertyOptional({
    description: 'The call to the model that ordered the passages. Present only with `rerank`.',
    type: RerankBody,
  })
  rerank?: RerankBody;

  @ApiPropertyOptional({
    description: 'What each way of searching did. Present only with `explain`.',
    type: [LegReportBody],
  })
  explain?: LegReportBody[];
}
