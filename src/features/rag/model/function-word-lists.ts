/*
 * Function words by language: articles, pronouns, prepositions, conjunctions, auxiliary verbs, particles, measure words and
 * the words that ask. Public lists of stop words are not used, because they also have words such as "life", "time" or
 * "law", which would hide passages. Numbers, names and other nouns do not belong here.
 */

/** Function words of languages with spaces, in lower case. English has those that stop-words.ts does not have. */
export const FUNCTION_WORDS: Readonly<Record<string, string>> = {
  english: `a about above across after again against all almost along already also although always am among an and
    another any anybody anyone anything are as at be became because become becomes been before being below beside besides
    between both but by can cannot could did do does done due during each either else enough ever every everyone
    everything few for from further had has have having he her here hers herself him himself his how however i if in
    instead into is it its itself just let many maybe me might more most much must my myself neither never no
    nobody none nor not nothing now of off often on once one only onto or other others otherwise ought our ours ourselves
    out over own per perhaps please quite rather really same shall she should since so some somebody someone something
    sometimes still such tell than that the their theirs them themselves then there therefore these they this those
    though through thus to together too toward towards under unless until up upon us very via was we were what whatever
    when where whereas whether which while who whom whose why will with within without would yet you your yours yourself`,
  german: `aber alle allem allen aller alles als also am an ander andere anderem anderen anderer anderes auch auf aus außer
    bei beide beiden beim bereits bin bis bist bitte bzw da dabei dadurch dafür dagegen daher dahin damals damit danach
    dann daran darauf daraus darf darin darüber darum das dass daß davon dazu dein deine deinem deinen deiner dem den
    denen denn der deren des deshalb dessen dich die dies diese diesem diesen dieser dieses dir doch dort du durch dürfen
    eben ein eine einem einen einer eines einige einigen einiger einiges er es etwa etwas euch euer eure für gar gegen
    gegenüber gewesen geworden gibt habe haben hab hat hatte hatten hast hier hin hinter ich ihm ihn ihnen ihr ihre ihrem
    ihren ihrer im immer in indem ins innerhalb irgend ist ja je jede jedem jeden jeder jedes jedoch jemand jene jener
    jetzt kann kein keine keinem keinen keiner können könnte könnten man manche mein meine meinem meinen meiner mich mir
    mit möchte müssen muss muß musste nach nachdem neben nein nicht nichts noch nun nur ob oder ohne schon sehr sei sein
    seine seinem seinen seiner seit selbst sich sie sind so sobald sofern solche sollen sollte sondern sonst sowie statt
    trotz über um und uns unser unsere unserem unseren unserer unter viel viele vielen vom von vor wann war waren warum
    was weder wegen weil welche welchem welchen welcher welches wem wen wenn wer werde werden weshalb wessen wie wieder
    wieso wieviel will wir wird wo wobei wodurch wofür woher wohin womit worden worin worüber wozu wurde wurden würde
    würden während zu zum zur zwar zwischen`,
  french: `à afin ai ainsi alors après as au aucun aucune aussi autre autres aux avaient avait avant avec avez avoir avons
    beaucoup bien c ça car ce ceci cela celle celles celui ces cet cette ceux chaque chez combien comme comment contre d
    dans de depuis des dès donc dont du elle elles en encore entre es est et étaient étais était êtes étant être eu
    eux faut furent fut hors ici il ils j je jusque jusqu l la laquelle le lequel les lesquelles lesquels leur leurs
    lors lorsque lorsqu lui m ma mais malgré me même mêmes mes moi mon n ne ni non nos notre nous on ont ou où par parce
    parmi pas pendant peu peut peuvent plus plusieurs pour pourquoi pourrait puis puisque qu quand que quel quelle
    quelles quelque quelques quels qui quoi s sa sans se sera seront ses si sien soi soit sommes son sont sous suis sur t
    ta tandis te tel telle tes toi ton tous tout toute toutes très tu un une vers voici voilà vos votre vous y`,
  spanish: `a al algo alguien algún alguna algunas alguno algunos allí ante antes aquel aquella aquellas aquello aquellos
    aquí así aun aún aunque bajo bien cada casi como cómo con contra cual cuál cuales cuáles cualquier cuando cuándo
    cuanta cuánta cuántas cuanto cuánto cuantos cuántos cuya cuyo de debe deben del desde después donde dónde durante e
    el él ella ellas ello ellos en entonces entre era eran eres es esa esas ese eso esos esta está estaba estaban están
    estar estas éstas este éste esto estos estoy fue fueron ha había habían han has hasta hay haya he hemos incluso la
    las le les lo los más me mediante mi mí mía mientras mío mis mucha muchas mucho muchos muy nada nadie ni ningún
    ninguna ninguno no nos nosotros nuestra nuestras nuestro nuestros o os otra otras otro otros para pero poco por
    porque pues puede pueden que qué quien quién quienes quiénes se sea sean según ser será si sí sido siempre sin sino
    sobre sois somos son soy su sus suya suyo tal también tampoco tan tanto te tiene tienen toda todas todavía todo todos
    tras tu tú tus u un una unas uno unos usted ustedes vosotros y ya yo`,
  portuguese: `a à ainda algo alguém algum alguma algumas alguns ao aos apenas após aquela aquelas aquele aqueles aquilo as
    às até cada com como contra cuja cujo da das de dela delas dele deles depois desde dessa desse desta deste disso do
    dos durante e é ela elas ele eles em enquanto entre era eram és essa essas esse esses esta está estão estar estas
    estava estavam este estes eu foi foram há isso isto já lhe lhes lo mais mas me mediante mesma mesmo meu meus minha
    minhas muita muitas muito muitos na nada não nas nem nenhum nenhuma nessa nesse nesta neste ninguém no nos nós nossa
    nossas nosso nossos num numa o onde os ou outra outras outro outros para pela pelas pelo pelos perante pode podem pois
    por porém porque porquê pouco qual quais qualquer quando quanta quantas quanto quantos que quê quem se seja sem sempre
    sendo ser será seu seus sob sobre somos sou sua suas são também tampouco tão te tem têm tinha toda todas todo todos
    tu tua tudo um uma umas uns você vocês`,
  italian: `a abbiamo ad agli ai al alcuna alcune alcuni all alla alle allo altra altre altri altro anche ancora avere aveva
    avevano c che chi ci ciò coi col come con contro cosa così cui d da dagli dai dal dall dalla dalle dallo degli dei
    del dell della delle dello dentro di dopo dove dov durante e è ed era erano essere fra già gli ha hai hanno ho i il in
    infatti io l la le lei li lo loro lui ma me meno mentre mi mia mie miei mio molta molte molti molto ne né negli nei
    nel nell nella nelle nello nessun nessuna nessuno niente noi non nostra nostre nostri nostro o od ogni oltre oppure
    per perché però più poco poi presso prima proprio può possono qual quale quali qualche quando quant quanta quante
    quanti quanto quell quella quelle quelli quello quest questa queste questi questo qui quindi s sarà se sé sei
    sempre senza si sia siamo siano siete sono sopra sotto stata state su sua sue sugli sui sul sull sulla
    sulle sullo suo suoi tale tra tu tua tuo tutta tutte tutti tutto un una uno v verso vi voi vostra vostro`,
  dutch: `aan al alle als ander andere behalve ben bent bij daar daarom dan dat de deze die dit doch door dus een eens elk
    elke en er ge geen had hadden heb hebben hebt heeft hem het hier hij hoe hoeveel hoewel hun iedere iedereen iemand iets
    ik in is ja je jij jou jouw jullie kan konden kon kun kunnen maar me mee meer men met mij mijn moet moeten na naar
    naast nadat niemand niet niets nog nu of om omdat onder ons onze ook op over per reeds sinds te tegen tegenover ten
    ter terwijl tijdens toch toen tot tussen u uit uw van vanaf vanuit veel via volgens voor waar waardoor waarin waarmee
    waarom waarop waarvan wanneer want waren was wat we welk welke werd werden wie wij worden wordt wel zal ze zei zelf
    zich zij zijn zo zoals zonder zou zouden zullen`,
  swedish: `af all alla allt än andra annan annat åt att av bara bland blev bli blir där då de dem den denna deras dess dessa
    det detta dig din dina ditt du efter ej eller en er era ert ett finns för från genom ha hade han hans har henne hennes
    hon honom hur i icke inga ingen inget innan inom inte ja jag kan kunde man med medan mellan men mig min mina mitt mot
    mycket många något någon några när ni nu och också om oss på så samma sedan sig sin sina sitt ska skall skulle som
    sådan sådana till under upp ur utan vad var vår våra varför vart vid vilka vilken vilket vem vems vi är över`,
  scandinavian: `ad af alle alt at av bare begge ble blev bli blir blive bliver da de dei dem den denne der deres det dette
    din disse dit ditt du eller en end enn er et ett etter efter finnes findes for fordi fra før gjennom gennem ha hadde
    han hans har have havde hende hendes henne hennes her ham hos hun hva hvad hvem hver hvilke hvilken hvilket hvis hvor
    hvordan hvorfor hvornår i ikke ingen ja jeg kan kun kunne man mange med mellem mellom men mens meg mig min mine mitt
    mit mot mod mye meget når nå nu ned noe noen nogen noget nogle og også om op opp os oss på sammen samme seg sig selv
    si sin sine sitt sit skal skulle slik som så til under uden uten ut ud var være vært været ved vi via vil ville vår
    vores dere`,
  finnish: `että eivät ei ehkä ennen en et hän häneen hänellä hänelle hänen hänet he heidän heitä ilman itse ja jo joka
    jolla jolle jona jonka jos joissa jossa josta jota jotka jotta kanssa kautta keiden kenelle kenen kenellä ketkä ketä
    koska koskaan kuin kuinka kuka kun kuten mahdollisesti me meidän meillä mihin mikä mikäli mikään miksi millainen
    milloin millä mille minkä minne minun minulla minä missä mistä mitkä mitä moni monta mukaan mutta myös ne niiden niin
    niitä noin nyt ole oleva oli olisi olivat olla olen olemme olet ollut on onko ovat saa se sekä sen siellä siinä siitä
    silloin sillä sinä sinun sitten sitä tai te teidän tuo tämä tämän tässä tästä tätä vaan vai vaikka vain voi voiko
    voivat yli`,
  polish: `aby albo ale ani aż bardzo bez bo być był była było były będzie będą chce choć ci cię co coś czego czemu czy czyj
    czyja czyje czyli czym dla do dlaczego gdy gdyby gdyż gdzie go i ich ile im inna inne inny innych iż ja jak jaka jaką
    jaki jakie jakiej jakich jakim jako je jeden jednak jego jej jemu jest jestem jeśli jeżeli już ją każda każde każdy
    kiedy kim kogo komu kto która które którego której który których którym którzy ku lub ma mają mi mną mnie może można
    mój moja moje my na nad nam nami nas nasz nasza nic nich nie niech niego niej nim nią niż no o od on ona one oni ono
    oraz po pod podczas poza przed przez przy są się skąd sobą sobie swój swoje ta tak także taki takie tam te tego tej
    temu ten też to tobą tobie tu twój tych tylko tym u w wam was we wie więc wszystko wszystkie z za ze że`,
  czech: `aby aj ale ani asi až bez být bude budou by byl byla byli bylo byly či co což dál do ho i já jak jaká jaké jaký
    jakých jako je jeho jej její jejich jen ještě ji jí jich jim jiné již jsem jsi jsme jsou jste k kam kde kdo kdy když
    ke koho kolik komu která které kteří který kterých kterým ku ma má mají mám me mě mezi mi mít mně mnou moc mohou můj
    může my na nad nám námi náš ne nebo neboť něco nějak nějaký než nic nich ním o od on ona oni ono pak po pod podle pokud
    pouze právě pro proč proto protože před přes při s se si sice svůj své ta tak také takže tam te tě ten tedy těch
    tento ti to toho tohle tom tomu toto třeba tu tuto ty u už v vám vás váš ve však všechno vy z za zda ze že`,
  turkish: `acaba ama ancak aslında az bana bazı belki ben beni benim beri bile bir birçok biri birkaç biz bize bizim böyle bu
    buna bunda bundan bunlar bunu bunun burada çok çünkü da daha dahi de değil diğer diye dolayı eğer en fakat gibi göre
    hangi hangisi hani hem henüz hep hepsi her herhangi herkes hiç hiçbir için içinde ile ilgili ise işte kaç kadar karşı
    kendi kendisi ki kim kimden kime kimi kimin kimse mı mi mu mü nasıl ne neden nedir nerede nereden nereye niçin niye
    o olan olarak oldu olduğu olduğunu olması olmak olur ona ondan onlar onlara onların onu onun orada oysa pek rağmen
    sadece sanki sen seni senin siz size sizin sonra şey şu şöyle tarafından tüm ve veya ya yani yoksa zaten vardır var
    mıdır midir mudur müdür`,
  indonesian: `ada adalah agar akan aku anda antara apa apabila apakah atas atau bagaimana bagaimanakah bagi bahwa banyak
    beberapa begitu belum berapa bersama bila bisa bukan cuma dalam dan dapat dari daripada dengan di dia harus hanya
    hingga ia ialah ini itu jangan jika jikalau juga kalau kalian kami kamu kapan karena ke kenapa kepada kita lagi lain
    lebih maka mana masih mengapa mereka merupakan meskipun namun nya oleh para pada paling per pernah pun saja sambil
    sampai sangat saya sebab sebagai sebelum sebuah sedang sejak selama semua seorang seperti serta sesudah setelah
    setiap siapa siapakah suatu sudah supaya tanpa telah tentang terhadap tetapi tiap tidak untuk yaitu yakni yang`,
  vietnamese: `ai bạn bao bằng bất bị bởi các cái càng cần cho chỉ chưa chứ có còn cũng của cùng cứ dù dưới đã đang đâu
    đây để đến đều đi điều do đó được gì giữa hãy hay họ hoặc hơn khi không kia là lại lên lúc mà mấy mình mỗi mọi
    một nào này nên nếu nó nơi nữa nhiêu nhiều như nhưng những ngoài phải qua quá ra rằng rất rồi sao sau sẽ sự suốt tại
    thế thì theo tôi trên trong trước từ từng tuy và vào vậy về vẫn vì việc với vừa xin ở ạ à ơi nhé nhỉ chúng ta hả thể
     nhất cả đối`,
  hungarian: `a ahhoz aki akik akkor alá alatt ami amely amelyek amikor annak arra arról az azok azon azonban azt azután bár
    be belül benne csak de e egy ebben egyes egyik el ellen elől előtt én ennek erre és ez ezek ezen ezt fel felé ha
    hány hanem hogy hogyan hol honnan hova is itt ki kik kinek kit között közül le legyen lenne lesz lett maga már még
    meg mely melyek melyik mert mi mikor milyen mind minden mint mit miért mivel most nagyon ne nem néhány nélkül olyan
    ott ő ők össze pedig s saját sem semmi szerint számára ti tovább te után úgy vagy vagyok való van vannak velük volt
    voltak által át`,
  romanian: `a acea această aceasta aceea acel acela acele acelea acest acesta aceste acestea acești acolo acum ai aici al
    ale alt alta altă alte alți am are ar asta astfel așa asupra au avea avem aveți ca care către câte cât câți când ce
    cel cele cea cei ceea ceva chiar cine cineva cu cui cum da dacă dar de deci decât deja deoarece deși despre din dintre
    doar după ea ei el ele era erau este eu fără fi fie fiecare fiind fost îi îl îmi împotriva în înainte încă între într
    își la le li lor lui mai mea mei mele mi mult multe mulți ne nici nimic niște noastră noi nostru nu o ori oricare pe
    pentru peste până prin printre sa sale sau să se și spre sub sunt suntem tot toate toți un una unde unei unele unii
    unor unui vă voi vom vor`,
  russian: `а без более больше будет будут бы был была были было быть в вам вас весь во вот все всего всей всех всё вы где да
    даже для до другая другие другой его ее её ей если есть еще ещё ею же за зачем здесь и из или им ими их к каждый
    как какая какие каким каких какого какое какой какую когда кого ком кому которая которое которой которую которые
    который которых кто куда ли либо между меня мне многие много может можно мой моя мы на над надо наш не него нее неё
    ней нет ни нибудь них но ну о об оба однако он она они оно от откуда очень перед по под пока после потому почему при
    про с сам самый свой своей своего свои своих себе себя сейчас сколько со так такая также такие такое такой там те тем
    тех то тоже того той только том тот ту ты у уже чего чей чем через что чтобы чтоб чья чьи эта эти этих это этого этой
    этом этот эту является являются находится`,
  ukrainian: `а або але без би буде будуть була були було бути в вам вас ви від він вона вони воно все всі где де для до
    досі дуже є його її й із інша інші інший і їх їм й кожен коли кого кому крім куди ким лише між мене мені ми може можна
    на над нам нас не неї ні ним них але однак он по під після при про проти свій своє свої себе скільки та так така
    також таке такий там те ти тим тих то того тому тільки у хто це цей цього ці ця через чи чий чим чого чому ще що щоб
    як яка яке який яких якій якої яку які якщо з за зі`,
  greek: `αν αλλά αλλα ανά αντί από αυτά αυτή αυτό αυτοί αυτός αυτού αυτών για δεν είμαι είναι ένα έναν ένας ενώ έχει έχουν εάν
    επί η ή ήταν θα ίδιο και κάθε κάποια κάποιος κατά με μέσα μετά μέχρι μεταξύ μη μην μια μία μόνο μου να ο οι όμως όπου
    όπως όσο όταν ότι ούτε παρά περί πιο ποια ποιά ποιες ποιο ποιό ποιοι ποιος ποιός ποιον πολύ πόσα πόσο πόσοι πότε που
    πού πριν προς πως πώς σαν σας σε στα στη στην στις στο στον στους στης στου τα της τη την τι τις το τον του τους των
    ως χωρίς`,
  arabic: `أ أحد آخر أخرى إذ إذا إلا إلى أم أما أن إن أنا أنت أنه أنها إنه إنها أو أي أية أين أيضا أيضًا بأن بعد بعض بل بما بن به بها
    بين تحت تكون تلك تم ثم حتى حول حيث حين خلال دون ذلك ذات رغم سوف ضد ضمن عبر عدة على عليه عليها عن عند عندما عنه عنها غير
    فإن في فيه فيها فقط فوق قبل قد كان كانت كل كلا كم كما كيف لأن لا لدى لدي لذلك لقد لكن لكل لم لماذا لن له لها لهم لهذا لو ليس
    ليست ما ماذا متى مثل مع معه معها مما من منذ منه منها مَن نحن نحو هذا هذه هذان هل هم هما هن هنا هناك هو هؤلاء هي و وإن وأن وفي
    وقد وكان وكانت ولا ولم ومن وهو وهي يا يكون يمكن التي الذي الذين اللذان اللتان اللواتي`,
  persian: `آن آنها آیا از است اگر اما او ای این اینکه با باید بر برای بود بودند بوده به بی بین پس تا تو توسط چرا چگونه چند
    چه چیست خود دارد دارند در درباره را روی زیر سپس شد شدند شده شما شود طی فقط کجا کجاست کدام کرد کردند کرده کند کنند که
    کی کیست ما من می نمی نه نیز نیست ها های هر هستند هم همان همه همین هنوز هیچ و وی ولی یا یک`,
  hebrew: `אבל או אותה אותו אותם אז אחר אחרי אחת איזה איזו אילו אין איפה איך אך אל אלה אלו אם אני אנחנו אף אשר את אתה אתם בגלל בו
    בין בלי במה בעד גם האם הוא היא היה היו הם הן הנה הזה הזאת זה זו זאת זהו יש כאשר כאן כבר כדי כי כך כל כמה כמו לא לאן לה לו
    להם לי לך למה לנו לפי לפני מאוד מאין מדוע מה מהו מהי מהם מי מיהו מכיוון ממנה ממנו מן מתחת מתי נגד עד עוד על עליו עליה עם
    עצמו פה רק של שלה שלו שלהם שלי תחת`,
  hindi: `अगर अथवा अपना अपनी अपने अब आदि आप इन इनका इनके इस इसका इसकी इसके इसमें इसलिए इसे उन उनका उनकी उनके उनको उन्हें उस उसका
    उसकी उसके उसने उसे एक एवं ऐसा ऐसे और कई कब कभी कर करता करते करना करने करें कहाँ कहां का कि कितना कितनी कितने किस किसका किसकी
    किसके किसने किसी किसे की कुछ के केवल कैसा कैसी कैसे को कोई कौन कौनसा कौनसी क्या क्यों गई गए गया चाहिए जब जबकि जहाँ जा जाता
    जाती जाते जाने जिन जिस जिसका जिसकी जिसके जिसने जिसे जैसा जैसे जो तक तथा तब तो था थी थे दिया द्वारा न नहीं ने पर परन्तु
    फिर बहुत भी मगर मुझे में मेरा मेरी मेरे मैं यदि यह यहाँ या ये रहा रही रहे लिए लेकिन व वह वहाँ वाला वाली वाले वे वो संग सकता
    सकते सब सभी साथ से हम हमारा हमारे हमें ही हुआ हुई हुए हूँ हे है हैं हो होता होती होते होना`,
};

/**
 * Words of the other languages, without diacritics, that are words of English too. They do not show which language a
 * question is in, and are function words only if another word shows it.
 */
export const AMBIGUOUS_WORDS = `ad agar ai air al ale am an ante antes art as at ate ban bang bar bare bat be bent bile bin
  bland by can car care cat chi come comment con day dell den die dies dig din do door dos dove due elk em encore end era
  fast fin fur go gore ha ham has hat have hay hem hen her here ho hoe hos hun i in ins is it jest kit man manga mange mar
  mas may me meg meme memes men met mi mind mine mint mod more mot multi muss my nay no non nous nun of on over page paling par
  pas pendant plus pod poi pour pro pun qua quanta quell quest rang rat reeds sale sans sea sedan see sera sin sine sit size
  so sob son soy state sub sue sur take tale tam tan ten till to tom ton tot tout um under up vain van vers via volt want war was
  we weer wen will ya yang yo`;

/** Function words of scripts without spaces, and of Korean, as the dictionaries divide texts. */
export const DENSE_FUNCTION_WORDS = `
  一个 一些 一种 一样 一下 上面 下面 不是 不会 不能 不同 不要 不过 与 且 两个 个 中 为 为了 为什么 为何 之 之一 之前 之后 之间 也 了 于 什么 什麼 什么样
  什么时候 什麼時候 仅 从 從 他 他们 他們 以 以下 以及 以上 们 們 任何 会 會 但 但是 何 何时 何時 何处 作为 作為 你 你们 你們 使 來 来 例如 便 个 個 個別
  做 像 儿 关于 關於 其 其中 其他 其它 具有 再 几 幾 几个 别 到 则 則 前 即 却 卻 又 及 可 可以 可能 各 各种 各種 各个 各個 同 后 後 向 吗 嗎
  否 吧 呢 呀 和 哪 哪一 哪一个 哪个 哪個 哪些 哪里 哪裡 哪儿 哪位 哪年 哪种 哪種 哪家 哪座 哪 啊 因 因为 因為 因此 在 地 多 多久 多么 多少 多大 多长 多数 多個
  多个 她 她们 好 如 如何 如果 它 它们 它們 完全 对 對 对于 對於 将 將 就 尽管 已 已经 已經 年 并 並 并且 应 应该 應該 当 當 当时 很 得
  怎 怎么 怎麼 怎么样 怎样 怎樣 您 想 应当 成为 成為 我 我们 我們 或 或者 所 所以 所有 所谓 把 按 据 據 接着 曾 曾经 最 更 更多 有 有些 有关 有關 有没有 有多少 有哪些
  有什么 有何 本 来自 來自 某 某些 根据 根據 次 正在 此 每 每个 每個 比 沒有 没 没有 没什么 然后 然後 然而 现在 現在 由 由于 由於 的 的话 的是 中的 他的 她的 其它的 目前 直到 相关 着 著 种 種
  第 等 等等 给 給 经 经过 而 而且 能 能够 能夠 至 若 虽 虽然 雖然 被 要 让 讓 许多 許多 该 該 请 請 请问 請問 谁 誰 谁是 起 起来 越 跟 较 較 过 過 还 還
  还是 還是 还有 這 这 这个 這個 这些 這些 这种 這種 这样 這樣 这里 這裡 进行 進行 通过 通過 通常 連 连 那 那么 那个 那個 那些 那里 都 非常 靠 需要 首 是
  是什么 是什麼 是谁 是誰 是否 是不是 上 下 不 位 时 時 所 座 部 里 裡 内 外 间 说 說 叫 叫做 一 只 仅仅 哪方面 方面
  あ ある あった あっ あなた あの ありますか あり あれ いい いう いく いくつ いくら いた いつ いっ いる い え お おい おいて おり か かつ かつて から が き く ください こ
  ここ こと この これ これら ご さ さらに さん し しかし しか した して します しま す すべて する ず せ せる そ そこ そして その そのため それ それぞれ それら そう た
  たい ただし たち ため ための たら たり だ だけ だった だっ だれ ちなみに つ つい ついて つまり って っ て ていた ている てき で でき できる です でした でしょう では でも と
  という といった とい いえば とき ところ として とって とともに とも どう どうして どうやって どうすれば どこ どちら どの どのような どのように どのくらい どれ どれくらい どれだけ
  どんな な ない ないで なお なか なかっ なく なけれ なぜ なっ なった なに など なの なら なり なる なん に において における について にとって によって による により に対して に対する
  に関する ぬ ね の ので のに のは のみ は はず ば ひ びに ふ へ べき ほか ほど ほとんど ま また まし ました ましょ ます ません まで まだ も もう もし もの や よ よう ような
  ように より よる よっ ら らしい られ られる られた れ れた れる わ を ん 何 何人 何年 何時 何か 何故 誰 誰か 此の 其の 及び または 又は 為 私 彼 彼女 我々 等 的 どなた 何ですか いますか
  한 가 가장 각 각각 같은 같이 거 것 것은 것이 것을 게 겁니까 과 관하여 관한 그 그것 그녀 그는 그들 그래서 그러나 그런 그런데 그렇게 그리고 그의 까지 나 나는 내 너 너무 너희 년 누가
  누구 누구의 누구인가 누구인가요 누구입니까 누구이며 는 다른 다음 당신 대하여 대한 대해 대해서 더 던 도 되 되나요 되는 되었 되었나요 되었는가 되었습니까 된 된다 됩니까 됐나요 두 들 등 따라
  따르면 따른 때 때문 때문에 또 또는 또한 라고 로 를 만 만약 많은 많이 매우 모두 모든 몇 몇몇 무슨 무엇 무엇을 무엇이 무엇이었나요 무엇이었습니까 무엇인가 무엇인가요 무엇입니까 뭐 뭔가요 및 부터
  뿐 불리는 사이 속 수 수가 스스로 아니 아니다 아니라 아닌 안 않 않고 않는 않은 않았 어느 어디 어디서 어디에 어디에서 어디인가 어디인가요 어디입니까 어떠한 어떤 어떻게 언제 언제인가요 얼마 얼마나
  얼마인가요 얼마입니까 에 에게 에는 에서 여러 오직 와 왜 우리 우리의 위한 위해 위해서 은 을 의 의해 이 이것 이는 이다 이들 이러한 이런 이를 이며 이미 이번 이었 이제 인 인가 인가요
  일부 입니까 입니다 있 있게 있고 있나요 있는 있는가 있다 있습니까 있습니다 있어 있었 있었나요 있었다 있었습니까 있었던 있으며 있을 자신 자신의 저 전혀 제 제가 좀 즉 중 지 통해 통한 하 하고 하기
  하나 하나의 하나요 하는 하는가 하는데 하며 하면 하여 하였 하지 하지만 한다 할 할까요 합니까 합니다 해 해야 했 했나요 했는가 했다 했던 했습니까 혹은 후 함께 없 없나요 없는 없다 없습니까 대체
  ก็ กว่า กัน กับ การ กี่ ก่อน ของ ขึ้น ครั้ง ครับ คะ ค่ะ ความ คือ คุณ ฉัน ช่วย ซึ่ง ดังกล่าว ดังนั้น ด้วย ต่อ ต่างๆ ต่าง ต้อง ตั้งแต่ ตาม ตัว ถึง ถูก ถ้า ทั้ง ทั้งหมด ทาง ทำ ทำให้ ที่
  ที่สุด ที่ไหน ทุก ท่าน นอกจาก นั้น นี้ นะ น่า บาง บ้าง บน ผ่าน ผู้ พวก พวกเขา พร้อม พอ ภายใต้ ภายใน มัก มัน มา มาก มากที่สุด มากกว่า มี ยัง ยังไง ยิ่ง ระหว่าง รวมถึง ราว ลง ล่ะ
   ว่า ส่วน สามารถ สิ่ง สิ่งใด สำหรับ หนึ่ง หน่อย หรือ หรือไม่ หลัง หลังจาก หลาย หาก อย่าง อย่างไร อยู่ ออก อะไร อะไรบ้าง อัน อาจ อีก เกี่ยวกับ เกิน เขา เข้า เคย เช่น เดียว เดียวกัน เท่า
  เท่าไร เท่าไหร่ เท่าใด เนื่องจาก เป็น เพราะ เพราะเหตุใด เพียง เพื่อ เมื่อ เมื่อไร เมื่อไหร่ เมื่อใด เรา เลย เหล่านี้ เหตุใด เหตุ เอง เอา แก่ แต่ แต่ละ แบบ แม้ และ แล้ว แห่ง โดย ใคร ใช่ ใด ใน
  ให้ ได้ ได้รับ ไป ไม่ ไม่ได้ ไร ไว้ ไหน ไหม นับ ทำไม จะ จาก จึง จน จนถึง เรียกว่า เรียก ใดบ้าง ปี คน
  ແມ່ນ ຂອງ ແລະ ໃນ ທີ່ ບໍ່ ເປັນ ຫຍັງ ໃຜ ໃສ ກໍ ໄດ້ ມີ ກັບ ຈາກ ໂດຍ ນີ້ ນັ້ນ ຈະ ວ່າ ໃຫ້ ຫຼື
  គឺ ជា និង នៃ នៅ មាន ដែល ក្នុង ពី ដោយ នេះ នោះ អ្វី ណា នរណា បាន មិន ទៅ ឬ របស់ ការ
  သည် ၏ ကို မှာ နှင့် တွင် ဖြစ်သည် ဘာ ဘယ် မှ က လဲ ပါ တယ် မ သူ ဒီ အဲဒီ`;
