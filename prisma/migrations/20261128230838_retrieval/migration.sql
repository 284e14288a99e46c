-- CreateEnum
CREATE TYPE "collection_index_status" AS ENUM ('building', 'active');

-- CreateEnum
CREATE TYPE "document_status" AS ENUM ('queued', 'processing', 'ready', 'failed', 'cancelled');

-- CreateEnum
CREATE TYPE "ingestion_stage" AS ENUM ('extracting', 'chunking', 'embedding');

-- CreateTable
CREATE TABLE "collections" (
    "id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "embedding_model" TEXT,
    "chunk_tokens" INTEGER NOT NULL,
    "chunk_overlap" INTEGER NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "collections_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "collection_shares" (
    "collection_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "collection_shares_pkey" PRIMARY KEY ("collection_id","user_id")
);

-- CreateTable
CREATE TABLE "collection_indexes" (
    "id" UUID NOT NULL,
    "collection_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "status" "collection_index_status" NOT NULL,
    "embedding_model" TEXT,
    "dimensions" INTEGER,
    "chunk_tokens" INTEGER NOT NULL,
    "chunk_overlap" INTEGER NOT NULL,
    "chunker_version" INTEGER NOT NULL,
    "tokenizer_version" INTEGER NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "collection_indexes_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "documents" (
    "id" UUID NOT NULL,
    "collection_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "file_id" UUID NOT NULL,
    "owns_file" BOOLEAN NOT NULL,
    "hash" BYTEA NOT NULL,
    "title" TEXT NOT NULL,
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "documents_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "ingestions" (
    "id" UUID NOT NULL,
    "document_id" UUID NOT NULL,
    "index_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "file_id" UUID NOT NULL,
    "owns_file" BOOLEAN NOT NULL,
    "hash" BYTEA NOT NULL,
    "title" TEXT NOT NULL,
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "version" INTEGER NOT NULL,
    "visible" BOOLEAN NOT NULL DEFAULT false,
    "status" "document_status" NOT NULL DEFAULT 'queued',
    "stage" "ingestion_stage" NOT NULL DEFAULT 'extracting',
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "due_at" TIMESTAMPTZ(3) DEFAULT CURRENT_TIMESTAMP,
    "lease_id" UUID,
    "heartbeat_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "page_count" INTEGER,
    "chunk_count" INTEGER,
    "chunked_count" INTEGER NOT NULL DEFAULT 0,
    "embedded_count" INTEGER NOT NULL DEFAULT 0,
    "term_count" BIGINT NOT NULL DEFAULT 0,
    "warnings" JSONB NOT NULL DEFAULT '[]',
    "error_code" TEXT,
    "error_message" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "ingestions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "chunks" (
    "ingestion_id" UUID NOT NULL,
    "ordinal" INTEGER NOT NULL,
    "page" INTEGER NOT NULL,
    "start" INTEGER NOT NULL,
    "end" INTEGER NOT NULL,
    "text" TEXT NOT NULL,
    "prefix" TEXT NOT NULL DEFAULT '',
    "tokens" INTEGER NOT NULL,
    "first_row" INTEGER,
    "last_row" INTEGER,

    CONSTRAINT "chunks_pkey" PRIMARY KEY ("ingestion_id","ordinal")
);

-- CreateTable
CREATE TABLE "chunk_terms" (
    "ingestion_id" UUID NOT NULL,
    "ordinal" INTEGER NOT NULL,
    "index_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "length" INTEGER NOT NULL,
    "terms" INTEGER[],
    "frequencies" SMALLINT[],

    CONSTRAINT "chunk_terms_pkey" PRIMARY KEY ("ingestion_id","ordinal")
);

-- CreateTable
CREATE TABLE "chunk_embeddings" (
    "ingestion_id" UUID NOT NULL,
    "ordinal" INTEGER NOT NULL,
    "index_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "dimensions" INTEGER NOT NULL,
    "embedding" REAL[],

    CONSTRAINT "chunk_embeddings_pkey" PRIMARY KEY ("ingestion_id","ordinal")
);

-- CreateTable
CREATE TABLE "chunk_signs" (
    "ingestion_id" UUID NOT NULL,
    "ordinal" INTEGER NOT NULL,
    "index_id" UUID NOT NULL,
    "user_id" UUID NOT NULL,
    "bits" VARBIT NOT NULL,

    CONSTRAINT "chunk_signs_pkey" PRIMARY KEY ("ingestion_id","ordinal")
);

-- CreateIndex
CREATE INDEX "collections_user_id_id_idx" ON "collections"("user_id", "id" DESC);

-- CreateIndex
CREATE INDEX "collections_deleted_idx" ON "collections"("deleted_at") WHERE ("deleted_at" IS NOT NULL);

-- CreateIndex
CREATE UNIQUE INDEX "collections_user_id_name_key" ON "collections"("user_id", "name") WHERE ("deleted_at" IS NULL);

-- CreateIndex
CREATE INDEX "collection_shares_user_id_idx" ON "collection_shares"("user_id");

-- CreateIndex
CREATE INDEX "collection_indexes_user_id_idx" ON "collection_indexes"("user_id");

-- CreateIndex
CREATE UNIQUE INDEX "collection_indexes_collection_id_status_key" ON "collection_indexes"("collection_id", "status");

-- CreateIndex
CREATE INDEX "documents_collection_id_id_idx" ON "documents"("collection_id", "id" DESC);

-- CreateIndex
CREATE INDEX "documents_user_id_id_idx" ON "documents"("user_id", "id" DESC);

-- CreateIndex
CREATE INDEX "documents_file_id_idx" ON "documents"("file_id");

-- CreateIndex
CREATE UNIQUE INDEX "documents_collection_id_hash_key" ON "documents"("collection_id", "hash");

-- CreateIndex
CREATE INDEX "ingestions_document_id_idx" ON "ingestions"("document_id");

-- CreateIndex
CREATE INDEX "ingestions_index_id_idx" ON "ingestions"("index_id");

-- CreateIndex
CREATE INDEX "ingestions_user_id_idx" ON "ingestions"("user_id");

-- CreateIndex
CREATE INDEX "ingestions_file_id_idx" ON "ingestions"("file_id");

-- CreateIndex
CREATE INDEX "ingestions_due_idx" ON "ingestions"("due_at") WHERE ("due_at" IS NOT NULL);

-- CreateIndex
CREATE UNIQUE INDEX "ingestions_visible_key" ON "ingestions"("document_id", "index_id") WHERE ("visible" = true);

-- CreateIndex
CREATE INDEX "chunk_terms_terms_idx" ON "chunk_terms" USING GIN ("terms");

-- CreateIndex
CREATE INDEX "chunk_signs_index_id_idx" ON "chunk_signs"("index_id");

-- AddForeignKey
ALTER TABLE "collections" ADD CONSTRAINT "collections_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "collection_shares" ADD CONSTRAINT "collection_shares_collection_id_fkey" FOREIGN KEY ("collection_id") REFERENCES "collections"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "collection_shares" ADD CONSTRAINT "collection_shares_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "collection_indexes" ADD CONSTRAINT "collection_indexes_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "collection_indexes" ADD CONSTRAINT "collection_indexes_collection_id_fkey" FOREIGN KEY ("collection_id") REFERENCES "collections"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "documents" ADD CONSTRAINT "documents_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "documents" ADD CONSTRAINT "documents_collection_id_fkey" FOREIGN KEY ("collection_id") REFERENCES "collections"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "documents" ADD CONSTRAINT "documents_file_id_fkey" FOREIGN KEY ("file_id") REFERENCES "files"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ingestions" ADD CONSTRAINT "ingestions_user_id_fkey" FOREIGN KEY ("user_id") REFERENCES "users"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ingestions" ADD CONSTRAINT "ingestions_document_id_fkey" FOREIGN KEY ("document_id") REFERENCES "documents"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ingestions" ADD CONSTRAINT "ingestions_index_id_fkey" FOREIGN KEY ("index_id") REFERENCES "collection_indexes"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ingestions" ADD CONSTRAINT "ingestions_file_id_fkey" FOREIGN KEY ("file_id") REFERENCES "files"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "chunks" ADD CONSTRAINT "chunks_ingestion_id_fkey" FOREIGN KEY ("ingestion_id") REFERENCES "ingestions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "chunk_terms" ADD CONSTRAINT "chunk_terms_ingestion_id_fkey" FOREIGN KEY ("ingestion_id") REFERENCES "ingestions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "chunk_embeddings" ADD CONSTRAINT "chunk_embeddings_ingestion_id_fkey" FOREIGN KEY ("ingestion_id") REFERENCES "ingestions"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "chunk_signs" ADD CONSTRAINT "chunk_signs_ingestion_id_fkey" FOREIGN KEY ("ingestion_id") REFERENCES "ingestions"("id") ON DELETE CASCADE ON UPDATE CASCADE;
