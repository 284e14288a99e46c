-- AlterTable
ALTER TABLE "messages" ADD COLUMN     "omitted_pages" JSONB;
