import { describe, expect, it } from '@jest/globals';
import { RelevantPassages } from './relevance.js';
import { queryTerms, termFrequencies } from './tokenizer.js';

function isRelevantTo(question: string, text: string): boolean {
  const { frequencies } = termFrequencies(text);
  const passages = new RelevantPassages<string>();
  for (const term of queryTerms(question)) if (frequencies.has(term.term)) passages.add(text, term);
  return passages.keys.has(text);
}

/** Returns true if a text has a term of a question, relevant or not. */
function sharesTerm(question: string, text: string): boolean {
  const { frequencies } = termFrequencies(text);
  return queryTerms(question).some(({ term }) => frequencies.has(term));
}

describe('a passage', () => {
  // A question, a text that shares function words with it, and one that shares a content word.
  it.each([
    ['Arabic', 'ما هي عاصمة فرنسا؟', 'هذه هي القائمة، ما لم تتغير', 'باريس عاصمة جميلة'],
    ['Chinese', '法国的首都是什么？', '这是一种常见的植物，不知道叫什么', '巴黎是首都'],
    ['Chinese, traditional', '誰發明了電話？', '他是誰了', '電話很重要'],
    ['Czech', 'Jaké je hlavní město Francie?', 'To je to, jaké jsme chtěli', 'Praha je město'],
    ['Danish', 'Hvad er hovedstaden i Frankrig?', 'Det er en hund, hvad nu', 'Turen til Frankrig'],
    ['Dutch', 'Wat is de hoofdstad van Frankrijk?', 'De hond is van mij, wat nu', 'Reis naar Frankrijk'],
    ['English', 'What is the capital of France?', 'This is the dog of what', 'A trip to France'],
    ['Finnish', 'Mikä on Ranskan pääkaupunki?', 'Tämä on mikä on', 'Helsinki, pääkaupunki'],
    ['French', 'Qu’est-ce que la capitale de l’Espagne ?', 'C’est ce que l’on a de la vie', 'En Espagne'],
    ['German', 'Was ist die Hauptstadt von Peru?', 'Das ist die Katze von ihm', 'Eine Reise nach Peru'],
    ['Greek', 'Ποια είναι η πρωτεύουσα της Γαλλίας;', 'Αυτή είναι η γάτα της', 'η πρωτεύουσα'],
    ['Hebrew', 'מהי הבירה של צרפת?', 'זה הכלב של השכן', 'טיול אל צרפת'],
    ['Hindi', 'फ्रांस की राजधानी क्या है?', 'यह उस की बिल्ली है', 'दिल्ली राजधानी'],
    ['Hungarian', 'Hol van a francia főváros?', 'Ez a kutya, hol van', 'Budapest főváros'],
    ['Indonesian', 'Apa ibu kota dari Prancis?', 'Ini dari apa yang dia', 'Perjalanan ke Prancis'],
    ['Italian', 'Qual è la capitale della Spagna?', 'Questa è la casa della zia', 'In Spagna'],
    ['Japanese', 'フランスの首都はどこですか？', 'これは犬の小屋です。どこか', '東京は首都です'],
    ['Korean', '프랑스의 수도는 어디에 있나요?', '개는 어디에 있나요', '서울은 수도이다'],
    ['Persian', 'پایتخت فرانسه چیست؟', 'این که در آن است چیست', 'سفر به فرانسه'],
    ['Polish', 'Jaka jest stolica Francji?', 'To jest to, jaka ona', 'Warszawa, stolica'],
    ['Portuguese', 'Qual é a capital da Espanha?', 'Esta é a casa da tia', 'Na Espanha'],
    ['Romanian', 'Care este capitala din Spania?', 'Aceasta este din care', 'În Spania'],
    ['Russian', 'Какая столица у Франции?', 'У него есть кошка, какая', 'Москва, столица'],
    ['Spanish', '¿Cuál es la capital de Francia?', 'Esta es la casa de mi tía', 'Un viaje a Francia'],
    ['Swedish', 'Vad är huvudstaden i Frankrike?', 'Det är en hund i vad', 'Resan till Frankrike'],
    ['Thai', 'เมืองหลวงของฝรั่งเศสคืออะไร', 'นี่คือแมวของฉัน ไม่มีอะไร', 'กรุงเทพเป็นเมืองหลวง'],
    ['Turkish', 'Fransa için başkent neresi?', 'Bu kedi onun için', 'Ankara başkent'],
    ['Ukrainian', 'Яка столиця у Франції?', 'У нього є кіт, яка', 'Київ, столиця'],
    ['Vietnamese', 'Thủ đô của nước Pháp là gì?', 'Đây là con mèo của tôi, không có gì', 'món ăn Pháp'],
    [
      'Vietnamese without diacritics',
      'Chinh sach cua cong ty la gi?',
      'Đây là con mèo của tôi',
      'chính sách',
    ],
  ])('is relevant to a question in %s by a content word only', (language, question, absent, present) => {
    expect(language === 'English' || sharesTerm(question, absent)).toBe(true);
    expect(isRelevantTo(question, absent)).toBe(false);
    expect(isRelevantTo(question, present)).toBe(true);
  });

  it.each([
    ['war crimes', 'the last war'],
    ['Who won the war?', 'the last war'],
    ['Did he die in the bath?', 'they die young'],
    ['How do I pour concrete?', 'pour slowly'],
    ['the man in the moon', 'an old man'],
    ['What happened in May?', 'the fifth of May'],
    ['sea level', 'the sea'],
    ['state law', 'the state'],
    ['สีของธงชาติ', 'สีแดง'],
    ['AI là gì?', 'the AI act'],
    ['Nước Anh ở đâu?', 'vua Anh'],
  ])('is relevant to "%s" by a word that is a function word of another language', (question, text) => {
    expect(isRelevantTo(question, text)).toBe(true);
  });

  it.each([
    ['Who hired Ben?', 'Ben joined in 2019.'],
    ['who hired ben?', 'Ben joined in 2019.'],
    ["What is Ben's salary?", 'Ben earns 3,000 a month.'],
    ['What is Ben’s salary?', 'Ben earns 3,000 a month.'],
    ['Is Ben in?', 'Ben is on leave.'],
    ['Which team is Dan in?', 'Sales: Dan, Eva'],
    ['How do I exit vi in the terminal?', 'vi: press escape, then :q'],
    ['Who led the Cosa Nostra?', 'Bosses of Cosa Nostra'],
    ['who led the cosa nostra', 'Bosses of Cosa Nostra'],
    ['When did Kim leave?', 'Kim: March 2020'],
    ['Where does Ada work?', 'Ada: Berlin'],
    ['Is it for Elle?', 'Elle: the parcel'],
    ['How far is it to Como?', 'Como: 40 km'],
    ['I have a question. Who is Hans?', 'Hans: press officer'],
    ['Wo arbeitet Dan?', 'Dan: Lager'],
    ['Wie lange ist die Frist, die Man setzt?', 'Man: Hersteller'],
  ])('is relevant to "%s" by a name that is a function word of another language', (question, text) => {
    expect(isRelevantTo(question, text)).toBe(true);
  });

  it.each([
    ['Ich habe den Ausweis verloren. Was muss ich tun?', 'was ich muss'],
    ['Wo können Sie parken?', 'Sie können'],
    ['Was ist Urlaub?', 'was ist das'],
    ['Como se pide la baja?', 'como la otra'],
    ['What Is the Notice Period?', 'what it is'],
    ["Où est l'accueil, s'il vous plaît ?", 'où est il'],
    ['cong ty nghi le the nao', 'là thế nào'],
  ])('is not relevant to "%s" by function words, capitalized or not', (question, text) => {
    expect(isRelevantTo(question, text)).toBe(false);
  });

  it.each([
    ["What's our refund policy?", 'This is what it is'],
    ["What happens if it's late?", 'it was so'],
    ["What should I do if I've lost my badge?", 'I do what I should'],
    ["If we've moved, they're told?", 'we and they'],
    ["I'll resign, I'd say", 'I, the undersigned'],
    ["Is that's deadline and let's party", 'let that be'],
    ['Don’t we park there? They don’t, I can’t and won’t', "they don't, can't and won't"],
    ['What’s the refund policy?', 'what it is'],
    ["What's the salary of Nguyễn?", 'what it is'],
  ])('is not relevant to "%s" by contracted function words', (question, text) => {
    expect(sharesTerm(question, text)).toBe(true);
    expect(isRelevantTo(question, text)).toBe(false);
  });

  it.each([
    ['WHAT IS THE NOTICE PERIOD?', 'what is the', 'notice period'],
    ["WHAT'S THE NOTICE PERIOD?", 'what is the', 'notice period'],
    ['LƯƠNG LÀ GÌ', 'là gì', 'lương'],
    ['WIE LANGE IST DIE FRIST?', 'wie ist die', 'Fristen'],
    ['КАКОЙ СРОК ОТПУСКА?', 'какой', 'Отпуск'],
  ])('is not relevant to "%s", all in capitals, by function words', (question, absent, present) => {
    expect(sharesTerm(question, absent)).toBe(true);
    expect(isRelevantTo(question, absent)).toBe(false);
    expect(isRelevantTo(question, present)).toBe(true);
  });

  it.each([
    ['Who leads the WHO in the US?', 'the WHO'],
    ['WHO 总部在哪里？', 'the WHO'],
    ['WHO US', 'US'],
    ['who is in IT', 'the IT department'],
  ])('is relevant to "%s" by an acronym that looks like a function word', (question, text) => {
    expect(isRelevantTo(question, text)).toBe(true);
  });

  it.each([
    ['duong café', 'con đường dài'],
    ['thue café', 'thuế thu nhập'],
    ['thue của cong ty la gi?', 'thuế thu nhập'],
    ['Où est la foret de l’archeveque?', 'une forêt'],
  ])(
    'is relevant to "%s" by a word without its diacritics, although another word has some',
    (question, text) => {
      expect(isRelevantTo(question, text)).toBe(true);
    },
  );

  it('is not relevant by function words without their diacritics, although another word has some', () => {
    expect(isRelevantTo('Chinh sach cua cong ty café la gi?', 'của ai là gì')).toBe(false);
    expect(isRelevantTo('Mùa thu ở Hà Nội', 'thứ nữa')).toBe(false);
  });

  it("is relevant by a word whose 's is not of a contraction", () => {
    expect(isRelevantTo("What's the CEO's name?", 'the CEO')).toBe(true);
    expect(isRelevantTo("What's it?", 'what it is')).toBe(true);
  });

  it.each(['What is it?', 'là gì', 'Was ist das?', '是什么', 'これは何ですか', 'อะไร', '무엇입니까'])(
    'is relevant to "%s", which has function words only, if it has one of them',
    (question) => {
      expect(isRelevantTo(question, `${question} zebra`)).toBe(true);
      expect(isRelevantTo(question, 'zebra')).toBe(false);
    },
  );

  it.each([
    ['Wie lange ist die Kündigungsfrist?', 'Die Kündigungsfristen betragen drei Monate.'],
    ['Wie lange dauert die Probezeit in der Ausbildung?', 'Probezeiten: drei Monate'],
    ['Какой срок отпуска?', 'Отпуск составляет 28 дней.'],
    ['Какие столицы есть в Европейском союзе?', 'в столице'],
    ['Kitaplar için hangi izin gerekli?', 'kitaplarını okudu'],
    ['Ποια είναι η πρωτεύουσα της Γαλλίας;', 'η οικονομία της πρωτεύουσας'],
    ['Kündigungsfrist in Probezeit', 'die Kündigungsfristen'],
  ])('is relevant to "%s" by another form of a content word', (question, text) => {
    expect(isRelevantTo(question, text)).toBe(true);
  });

  it('is not relevant to a question in English or Vietnamese by one form, but by those of two words', () => {
    expect(isRelevantTo('What is the universe of discourse?', 'università')).toBe(false);
    expect(isRelevantTo('What is the universe of discourse?', 'università, discours')).toBe(true);
    expect(isRelevantTo('Truong nghi bao lau thi cong ty la gi?', 'la truonga')).toBe(false);
    expect(isRelevantTo('hòa', 'hoà')).toBe(true);
    expect(isRelevantTo('Thủ đô hòa bình', 'thu hoạch')).toBe(false);
    expect(isRelevantTo('Thủ đô hòa bình', 'thu do hoa binh')).toBe(true);
  });

  it('is relevant to a question with a single content word by a pair of its characters', () => {
    expect(isRelevantTo('共和国是什么？', '共和')).toBe(true);
    expect(isRelevantTo('대한민국은 무엇입니까?', '민국')).toBe(true);
    expect(isRelevantTo('共和国的首都在哪里？', '共和')).toBe(false);
  });

  it('is not relevant by single characters of a Chinese name, but by a word of one character', () => {
    expect(isRelevantTo('圣母大学在哪里？', '圣人的母亲在这里')).toBe(false);
    expect(isRelevantTo('茶有什么好处？', '我每天喝茶')).toBe(true);
    expect(isRelevantTo('猫吃什么？', '那只猫很大')).toBe(true);
    expect(isRelevantTo('共和国的共和', '共和')).toBe(true);
  });

  it.each([
    ['Is there a đường here?', 'con đường dài'],
    ['duong la gi', 'con đường dài'],
    ['duong là gì?', 'con đường dài'],
    ['ABC-123.4 là gì?', 'see ABC-123.4 there'],
    ['Où est l’hôtel ?', 'un hôtel'],
    ['产权是什么', '知识产权的保护'],
    ['수도는 무엇입니까?', '서울특별시는 대한민국의 수도이다'],
  ])('is relevant to "%s" by its one content word', (question, text) => {
    expect(isRelevantTo(question, text)).toBe(true);
  });

  it.each(['là ', '的', '是什么', 'อะไร', 'la-', "l'", 'ề\u0301', '무엇은 '])(
    'is compared with a question of 100,000 units of "%s" by a bounded number of terms',
    (unit) => {
      expect(queryTerms(unit.repeat(100_000 / unit.length)).length).toBeLessThan(1_000);
    },
  );
});
