"""A line of navigation for each row of the list, by section, that only this row takes."""

FURNITURE = """
[read on]
続きを読む
(続きを読む)
続きを読む「峠の話」
続きはこちら
もっと見る
すべて表示
詳細はこちら
[Read More]
Read more →
READ MORE
Continue reading 峠の話
[share buttons]
シェアする
ツイート
この記事をシェアしよう
この記事が気に入ったら友達にシェアしよう
友達に教える
Facebookでシェアする
LINEで送る
はてなブックマークに追加
• Twitterアイコン
RSSフィード
Facebook Twitter LINE
follow us in feedly RSS twitter facebook google plus
Share:
Share Comments
B!
B! 12
[cookie notices]
当サイトではCookieを使用しています。
当サイトでは，クッキーを使用しています．
このサイトでは、利用状況の把握のためにクッキーを利用しています。詳細はこちら
当社はCookieを使用して、サイトの改善のために利用状況を分析します。
Cookieに同意する
すべてのCookieを受け入れる
Cookieなどの設定や使用の詳細、オプトアウトについては詳細をご覧ください。
This site uses cookies.
We use cookies to improve your experience.
Accept all cookies
[scripts and browsers]
JavaScriptを有効にしてください
Please enable JavaScript to view the comments powered by Disqus.
JavaScript is disabled.
Your browser is out-of-date!
Update your browser to view this website correctly. Update my browser now
お使いのブラウザは古いため対応しておりません。
[comments]
comments powered by Disqus
Blog comments powered by Disqus
Leave a comment
3 Comments
コメントを残す
コメント（3）
この記事へのコメント(12件)
0件のコメント
メールアドレスが公開されることはありません。 * が付いている欄は必須項目です
[page links]
ページトップへ
このページの先頭に戻る
▲トップへ戻る
記事一覧へ戻る
ドキュメント インデックスに戻る
PAGETOP
Back to top
次のページへ
前の記事：秋の散歩
<前の日記(2018年12月26日) 次の日記(2019年02月19日)> 最新 編集
≪前の記事
≫ 次の記事 秋の話
キーボード: ← → またはスペース
[rows of page links]
次のページ 前のページ 目次へ
戻る\xa0\t\t上に戻る\t\t\xa0次へ
1|2 次のページへ
[titles before a tab and the site]
第4章\t\tホーム\t\t第6章
[links in brackets]
[ << 入出力全般 ] [トップ][目次][インデックス] [ スペースの問題 >> ]
[ < 譜を表示する ] [ 上へ : 譜 ] [ 小節線 > ]
[skip links and menus]
Skip to main content
Menu Close
本文へスキップ
メニューを閉じる
[ 閉じる ]
Search IconIcon to open search
[breadcrumbs]
HOME > 製品 > 時計
home\xa0>\xa0 製品\xa0>\xa0 時計
トップページ＞お知らせ＞2019年
ホーム » ブログ » 旅の記録
Home / Blog / 旅の記録
[related articles]
関連記事
関連しているかもしれない記事
こちらの記事もどうぞ
あわせて読みたい
この記事を書いた人
この記事を読んだ人はこちらも読んでいます
最新記事10本
【注目の記事】[PR]
記事一覧
Related Posts
You may also like
Recent Posts
[advertisements]
スポンサーリンク
[PR]
本ページはプロモーションが含まれています
当サイトはアフィリエイト広告を利用しています。
当サイトは、楽天アフィリエイト等のアフィリエイトプログラムに参加しています。
にほんブログ村へ
ブログランキングに参加中です。クリックして頂けると励みになります。
Original text
[shop buttons]
by G-Tools
by G-Tools , 2006/10/28
posted with amazlet at 17.02.26
Amazonで詳しく見る
Amazonで詳しく見る by G-Tools
Amazonで購入[16ポイント発生]
Yahoo!ショッピングで見る楽天ブックスで見る Amazonで見る
売り上げランキング : 742,569
おすすめ平均
[licences]
このブログの内容は、 クリエイティブ・コモンズ 表示 4.0 国際 ライセンスの下に提供されています。
[follow and subscribe]
メールにて峠に関するニュース、アップデートをお送りします。
フォローする
Twitterでフォローしてね！
RSSを購読する
メルマガ登録はこちら
このサイトの更新情報をRSSで配信しています。
Follow us on Twitter
Subscribe
[site generators]
Powered by Hexo
Hugo で構築されています。
テーマ Stack によって設計されています。
[tags and categories]
タグ：旅行、写真
カテゴリー: 峠
Tags: Raspberry Pi
Tags: Python, machine learning, 旅
タグ：#峠 #川
タグ: 旅行 写真 山
Tagged with キーボード
[hash tags]
#blog #python #旅
#峠　#川
#峠、#川
[labelled dates]
更新日：2016年11月09日
公開日: 2022-02-17   最終更新日: 2022-02-17
» 2019年02月22日 14時30分 公開
2019年12月17日更新
Posted by suzuki
Posted by suzuki on Thursday, January 16, 2020
Posted on July 12, 2020 | suzuki
Created: 2020-03-20
[reading time]
3 min read
· 1061 words · 3 minute read
· ☕ 6 分で読めます · 🤖 suzuki
16分で読む (約2325語)
20分 read (About 3010 words)
By 5\xa0min\xa0read
497 497 Words
[head: bylines]
by 架空商事 ／ 2016.12.01
By Hanako Suzuki Feb 8, 2020 5 min read
[head: tags alone]
#Java
#旅行
[head: date alone]
2018-08-16
2019年02月11日(月)
2019.03.05
Sep 3, 2022
2021-09-05 · @suzuki
2019年4月4日 12:30
"""
